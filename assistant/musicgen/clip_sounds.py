"""The sound of clips: what the engine is asked for, and how its answer is joined to what was there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from assistant.errors import CallError
from assistant.i18n import _
from assistant.musicgen.engine.engine import MOST_AT_ONCE, Clip, Engine, Request
from assistant.musicgen.engine.sampler import Sampling
from assistant.musicgen.seams import loop, loop_tail, splice
from assistant.musicgen.spec import GenerateSpec

OVERLAP = 0.4
"""So much of the model's span is heard, at most, of a file that a clip goes on from."""
CROSSFADE_SECONDS = 0.03

Sound = NDArray[np.float32]
Batch = list[tuple[int, str]]
"""Number and prompt of clips that are decoded at once."""


def batches(spec: GenerateSpec, *, mixed: bool) -> Iterator[Batch]:
    """The clips of a request in batches; `mixed` lets those of different prompts be in one."""
    clips = list(enumerate(spec.clips))
    together = len(clips) if mixed else spec.count
    for begin in range(0, len(clips), together):
        for first in range(begin, begin + together, MOST_AT_ONCE):
            yield clips[first : min(first + MOST_AT_ONCE, begin + together)]


def clip_sounds(
    model: Engine,
    spec: GenerateSpec,
    batch: Batch,
    *,
    kept: Sound | None = None,
    melody: Sound | None = None,
    on_steps: Callable[[int, int], None] | None = None,
    on_sound: Callable[[int, Sound], None] | None = None,
) -> list[Sound]:
    """The clips of a batch, each `[channels, samples]`, which go on from `kept` and follow `melody`, both
    `[channels, samples]` at the model's rate. Each is the same alone and in any batch.

    `on_steps` hears how many steps are done, of how many; `on_sound` each piece of the batch's clips as it is
    decoded, in another thread. Raises `CallError` for a stride that the model has no room for.
    """
    import torch

    assert spec.seed is not None
    request, heard = _request(model, spec, kept)
    tune = None if melody is None else torch.from_numpy(melody)
    clips = [Clip(spec.seed + number, (spec.told(prompt), *spec.told_then), tune) for number, prompt in batch]
    total = model.steps(request)

    def tell(done: int) -> None:
        if on_steps is not None:
            on_steps(min(done, total), total)

    sounds = model.make(clips, request, on_steps=tell, on_sound=on_sound)
    if spec.loop:
        return [loop(sound, model.rate, spec.duration) for sound in sounds]
    wanted = heard + round(spec.duration * model.rate)
    if kept is None:
        return [sound[:, :wanted] for sound in sounds]
    fade = int(CROSSFADE_SECONDS * model.rate)
    return [splice(kept, sound[:, :wanted], heard, fade) for sound in sounds]


def _request(model: Engine, spec: GenerateSpec, kept: Sound | None) -> tuple[Request, int]:
    """What the engine is asked for, and how many samples of it are the file's that it goes on from."""
    seconds = spec.duration + (loop_tail(spec.duration) if spec.loop else 0.0)
    stride = round(spec.stride * model.frame_rate)
    if stride >= model.span:
        raise CallError(
            _("A stride of {stride} seconds leaves nothing to go on from.").format(stride=spec.stride),
            _("This model hears {span} seconds at once; choose less.").format(
                span=model.span / model.frame_rate
            ),
        )
    heard, given = 0, None
    if kept is not None:
        # A window always leaves room for something new.
        length = min(int(OVERLAP * model.span) * model.hop, kept.shape[1]) // model.hop * model.hop
        (given,) = model.encode([kept[:, -length:]])
        heard = length
    frames = math.ceil(round(seconds * model.rate) / model.hop) + heard // model.hop
    sampling = Sampling(spec.temperature, min(spec.top_k, model.card), spec.top_p, spec.cfg)
    return Request(frames, given, sampling, stride, spec.two_step), heard
