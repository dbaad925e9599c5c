"""The sound of clips comes while their tokens do, on every way to a clip, and is the clip."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from assistant.musicgen.clip_sounds import CROSSFADE_SECONDS, Sound, batches, clip_sounds
from assistant.musicgen.engine import engine as engines
from assistant.musicgen.engine.engine import Engine
from assistant.musicgen.spec import GenerateSpec
from tests.musicgen.engines import SPAN, engine, language_model, melody_model
from tests.musicgen.tiny_models import chord

RATE = 32_000


@pytest.fixture(scope="module")
def made() -> Engine:
    return engine(language_model())


def listened(made: Engine, spec: GenerateSpec, monkeypatch: pytest.MonkeyPatch, **more: Any) -> list[Sound]:
    """The clips of a request; the last tokens come only after some of each clip was heard."""
    heard: dict[int, list[Sound]] = {}
    everyone = threading.Event()
    real = made.tokens

    def held_back(*arguments: Any, **named: Any) -> Iterator[torch.Tensor]:
        *before, last = real(*arguments, **named)
        yield from before
        assert everyone.wait(60)
        yield last

    (batch,) = batches(spec, mixed=True)

    def on_sound(clip: int, piece: Sound) -> None:
        heard.setdefault(clip, []).append(piece)
        if len(heard) == len(batch):
            everyone.set()

    monkeypatch.setattr(engines, "PIECE_SECONDS", 0.4)
    monkeypatch.setattr(made, "tokens", held_back)
    sounds = clip_sounds(made, spec, batch, on_sound=on_sound, **more)
    for place in range(len(batch)):
        assert len(heard[place]) > 1
    return sounds


def request(**values: Any) -> GenerateSpec:
    return GenerateSpec(**{"prompt": "rock", "seed": 3, "duration": 1.1, "top_k": 20, **values})


@pytest.mark.parametrize(
    "values",
    [{"count": 3}, {"duration": 2 * SPAN}, {"loop": True}, {"prompts": ("rock", ""), "two_step": True}],
    ids=["batch", "beyond the span", "loop", "prompts"],
)
def test_it_is_heard_early_and_is_the_clip(
    made: Engine, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = request(**values)
    (batch,) = batches(spec, mixed=True)
    expected = clip_sounds(made, spec, batch)
    found = listened(made, spec, monkeypatch)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.allclose(one, other, atol=1e-5)


def test_what_a_clip_goes_on_from_is_kept(made: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = chord(2, 1.0, RATE)[None]
    (found,) = listened(made, request(), monkeypatch, kept=kept)
    assert found.shape[1] == kept.shape[1] + round(1.1 * RATE)
    fade = int(CROSSFADE_SECONDS * RATE)
    assert np.array_equal(found[:, : kept.shape[1] - fade], kept[:, :-fade])


def test_a_melody_is_followed_by_what_is_heard_early(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = listened(engine(melody_model()), request(), monkeypatch, melody=chord(3, 1.0, RATE)[None])
    assert found.shape[1] == round(1.1 * RATE)
