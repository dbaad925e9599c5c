"""Which stretches of a track the networks hear."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.audio.listening import GROUPS, PATCHES, Patches
from assistant.audio.musicnn import TAGS

RATE = 8000


@pytest.mark.parametrize("seconds", [10, 200, 1500])
def test_stretches_are_spread_over_the_whole_at_little_memory(seconds: int) -> None:
    patches = Patches(RATE)
    places = np.repeat(np.arange(seconds, dtype=np.float32), RATE)
    for start in range(0, len(places), 30_011):
        patches.add(places[start : start + 30_011])
    kept = [float(block[0]) for block in patches._kept]
    assert len(kept) <= 4 * PATCHES + 1
    assert kept[0] == 0
    assert kept[-1] > seconds - seconds / 4 - 3
    assert np.ptp(np.diff(kept)) <= 1


def test_silence_and_short_sounds_say_nothing() -> None:
    patches = Patches(RATE)
    patches.add(np.zeros(RATE * 9, np.float32))
    assert patches.facts() == {}
    short = Patches(RATE)
    short.add(np.ones(RATE, np.float32))
    assert short.facts() == {}


def test_noise_is_heard_without_an_error() -> None:
    patches = Patches(RATE)
    patches.add(np.random.default_rng(0).normal(size=RATE * 4).astype(np.float32) / 4)
    assert set(patches.tags()) == set(TAGS)
    assert all(fact["source"] == "musicnn" for fact in patches.facts().values())


def test_each_group_names_tags_of_its_network() -> None:
    for words in GROUPS.values():
        for model, tags, threshold, confidence in words.values():
            assert set(tags) <= set(TAGS[model])
            assert 0 < threshold < 1
            assert 0 < confidence < 1
