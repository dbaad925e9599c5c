"""Tempo, key and loudness against known answers."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
from scipy.signal import sosfilt

from assistant.audio.key import key_of_profile
from assistant.audio.loudness import LoudnessMeter, _k_weighting
from assistant.audio.measure import Measurer
from tests.made_sounds import beat, tone

RATE = 22050


def facts(samples: np.ndarray, rate: int = RATE) -> dict[str, object]:
    measurer = Measurer(rate, samples.shape[1], len(samples) / rate)
    for start in range(0, len(samples), 10_007):
        measurer.add(samples[start : start + 10_007].astype(np.float32))
    return {name: fact["value"] for name, fact in measurer.facts().items()}


@pytest.mark.parametrize("bpm", [72.0, 93.5, 120.0, 141.0])
def test_tempo_of_a_beat(bpm: float) -> None:
    found = facts(beat(bpm)[:, None])
    assert found["bpm"] == pytest.approx(bpm, abs=0.5)


@pytest.mark.parametrize(
    ("root", "third", "name"), [(60, 4, "C major"), (57, 3, "A minor"), (66, 4, "F sharp")]
)
def test_key_of_a_cadence(root: int, third: int, name: str) -> None:
    chords = [(0, third, 7), (5, 5 + third, 12), (7, 11, 14), (0, third, 7)] * 3
    time = np.arange(RATE) / RATE
    # 20 cents sharp of concert pitch, as old recordings are
    parts = [
        sum(
            np.sin(2 * np.pi * 440 * 2 ** ((root + step + 0.2 - 69) / 12) * harmonic * time) / harmonic
            for step in chord
            for harmonic in (1, 2, 3)
        )
        for chord in chords
    ]
    assert str(facts(0.05 * np.concatenate(parts)[:, None])["key"]).startswith(name)


def test_a_held_tone_has_no_tempo() -> None:
    found = facts(tone(10, RATE, 1))
    assert found["onsets"] == 0
    assert "bpm" not in found


def test_no_key_without_notes() -> None:
    assert key_of_profile(np.ones(12)) is None


def test_loudness_agrees_with_another_meter() -> None:
    noise = (
        np.random.default_rng(0).normal(size=(48000 * 12, 2)) * np.linspace(0.01, 0.2, 48000 * 12)[:, None]
    )
    meter = LoudnessMeter(48000, 2)
    for start in range(0, len(noise), 777):
        meter.add(noise[start : start + 777])
    assert meter.integrated() == pytest.approx(pyloudnorm.Meter(48000).integrated_loudness(noise), abs=0.1)
    assert LoudnessMeter(48000, 2).integrated() is None


@pytest.mark.parametrize("block", [1, 63, 64, 1000, 4410, 1 << 16])
def test_loudness_is_that_of_the_filter_sample_by_sample(block: int) -> None:
    rate = 44100
    frames = 20_000 if block == 1 else 200_000
    noise = 0.2 * np.random.default_rng(1).normal(size=(frames, 2)).cumsum(axis=0).astype(np.float32)
    noise *= np.linspace(0, 0.1, frames, dtype=np.float32)[:, None]
    meter = LoudnessMeter(rate, 2)
    for start in range(0, frames, block):
        meter.add(noise[start : start + block])
    filtered = sosfilt(_k_weighting(rate), noise.astype(np.float64), axis=0)
    steps = (filtered**2).sum(axis=1)[: frames // 4410 * 4410].reshape(-1, 4410).mean(axis=1)
    np.testing.assert_allclose(meter._steps(), steps, rtol=1e-3)  # 0.004 dB
    meter.add(noise)  # to ask takes nothing away
    assert len(meter._steps()) == 2 * frames // 4410


def test_loudness_of_the_standards_reference() -> None:
    # EBU Tech 3341, case 1: a stereo 1 kHz sine of -23 dBFS is -23 LUFS.
    time = np.arange(48000 * 5) / 48000
    sine = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * time)
    meter = LoudnessMeter(48000, 2)
    meter.add(np.stack([sine, sine], axis=1))
    assert meter.integrated() == pytest.approx(-23, abs=0.1)


def test_width() -> None:
    same = np.repeat(tone(4, channels=1), 2, axis=1)
    assert facts(same, 44100)["width"] == 0
    assert facts(np.random.default_rng(0).normal(size=(44100 * 4, 2)) * 0.1, 44100)["width"] == pytest.approx(
        0.5, abs=0.02
    )
