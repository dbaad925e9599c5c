"""Clips: tokens from the language model, audio from the codec, a file with its recipe."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.read import read_audio, seconds_of
from assistant.audio.write import write_audio
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.encode import fit_channels
from assistant.musicgen.engine.engine import MOST_AT_ONCE, Clip, Engine, Request
from assistant.musicgen.engine.sampler import Sampling
from assistant.musicgen.identity import model_hashes
from assistant.musicgen.melody import BEATS, has_separator
from assistant.musicgen.preview import Preview
from assistant.musicgen.recipe import as_comment, new_recipe, program_name
from assistant.musicgen.seams import loop, loop_tail, splice
from assistant.musicgen.separation import without
from assistant.musicgen.spec import GenerateSpec
from assistant.workers import Emit, check_cancelled

OVERLAP = 0.4
"""So much of the model's span is heard, at most, of a file that a clip goes on from."""
PREVIEWS = ".previews"
KEPT_SECONDS = 30.0
"""A clip that goes on from a file begins with at most this much of the file's end."""
CROSSFADE_SECONDS = 0.03
_EVENTS_A_SECOND = 10


def make_clips(
    model: Engine,
    spec: GenerateSpec,
    library: Library,
    *,
    continue_from: Path | None,
    melody: Path | None,
    emit: Emit,
) -> list[dict[str, Any]]:
    """Make, write and note down the clips of a request.

    Several are decoded at once. Each is the same clip whatever else is asked for in the same request.
    Events: {"event": "tokens", "done", "total", "clip"}, {"event": "sound", "clip", "path", "seconds"} as
    more of a clip can be heard, and {"event": "clip", …} when its file is written; clips are counted
    from 0, and the tokens are those of the clips from "clip" on that are decoded together.
    """
    assert spec.seed is not None
    if melody is not None and not model.follows_melodies:
        raise CallError(
            _("The model {model} cannot follow a melody.").format(model=spec.model),
            _("Use facebook/musicgen-melody."),
        )
    kept = _end_of(continue_from, model.rate, model.channels) if continue_from else None
    tune = _tune(melody, model, emit) if melody else None
    hashes = model_hashes(spec.model, library.paths)
    inputs = {"continue_from": continue_from, "melody": melody}
    clips = []
    for batch in batches(spec, mixed=model.mixes_prompts):
        began = time.monotonic()
        with _explained(spec):
            sounds = _sounds(model, spec, batch, kept, tune, library, emit)
        seconds = round((time.monotonic() - began) / len(batch), 2)
        for (number, prompt), samples in zip(batch, sounds, strict=True):
            one = spec.of_one(prompt, spec.seed + number)
            recipe = new_recipe(
                one,
                hashes=hashes,
                inputs=inputs,
                computed_on=backend.computed_on(spec.device, spec.precision),
                sample_rate=model.rate,
                seconds_to_make=seconds,
            )
            clip = _written(one, library, samples, recipe)
            clips.append(clip)
            emit({"event": "clip", **clip})
    return clips


def _written(
    spec: GenerateSpec, library: Library, samples: NDArray[np.float32], recipe: dict[str, Any]
) -> dict[str, Any]:
    """Write the one clip of a request into its file and the ledger."""
    assert spec.seed is not None
    folder = Path(spec.out).absolute() if spec.out else library.paths.clips
    folder.mkdir(parents=True, exist_ok=True)
    path = _free_path(folder, spec, spec.seed)
    rate = recipe["sample_rate"]
    write_audio(
        path,
        samples,
        rate,
        loudness=spec.loudness,
        ceiling=spec.true_peak,
        comment=as_comment(recipe),
        title=spec.prompt,
        program=program_name(),
    )
    duration = samples.shape[1] / rate
    library.ledger.add_clip(path, recipe, duration)
    return {
        "path": os.fsdecode(path),
        "seed": spec.seed,
        "duration": duration,
        "model": spec.model,
        "prompt": spec.prompt,
        "english": spec.told(spec.prompt),
    }


def batches(spec: GenerateSpec, *, mixed: bool) -> Iterator[list[tuple[int, str]]]:
    """Number and prompt of the clips, those that are decoded at once together; `mixed` lets those of
    different prompts be."""
    clips = list(enumerate(spec.clips))
    together = len(clips) if mixed else spec.count
    for begin in range(0, len(clips), together):
        for first in range(begin, begin + together, MOST_AT_ONCE):
            yield clips[first : min(first + MOST_AT_ONCE, begin + together)]


def _sounds(
    model: Engine,
    spec: GenerateSpec,
    batch: list[tuple[int, str]],
    kept: NDArray[np.float32] | None,
    melody: NDArray[np.float32] | None,
    library: Library,
    emit: Emit,
) -> list[NDArray[np.float32]]:
    """The clips of a batch, each `[channels, samples]`."""
    import torch

    assert spec.seed is not None
    request, heard = _request(model, spec, kept)
    tune = None if melody is None else torch.from_numpy(melody)
    clips = [
        Clip(spec.seed + number, tuple(map(spec.told, (prompt, *spec.then))), tune)
        for number, prompt in batch
    ]
    first = batch[0][0]
    folder = library.paths.clips / PREVIEWS
    previews = [
        Preview(folder / f"{os.getpid()}-{number}.wav", model.rate, model.channels)
        for number, _prompt in batch
    ]

    def on_sound(place: int, piece: NDArray[np.float32]) -> None:
        preview = previews[place]
        preview.add(piece)
        emit(
            {
                "event": "sound",
                "clip": first + place,
                "path": os.fsdecode(preview.path),
                "seconds": preview.seconds,
            }
        )

    total = model.steps(request)
    tell = _throttled(emit, first)
    try:
        sounds = model.make(
            clips, request, on_steps=lambda done: tell(min(done, total), total), on_sound=on_sound
        )
    finally:
        for preview in previews:
            preview.remove()
    if spec.loop:
        return [loop(sound, model.rate, spec.duration) for sound in sounds]
    wanted = heard + round(spec.duration * model.rate)
    if kept is None:
        return [sound[:, :wanted] for sound in sounds]
    fade = int(CROSSFADE_SECONDS * model.rate)
    return [splice(kept, sound[:, :wanted], heard, fade) for sound in sounds]


def _request(model: Engine, spec: GenerateSpec, kept: NDArray[np.float32] | None) -> tuple[Request, int]:
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


def _tune(path: Path, model: Engine, emit: Emit) -> NDArray[np.float32]:
    """The sound whose melody is followed."""
    if not has_separator():
        text = _("No stem separator is installed: drums and bass count as part of the melody.")
        emit({"event": "warning", "text": text})
    return without(_read(path, model.rate, model.channels), model.rate, BEATS)


def _read(path: Path, rate: int, channels: int) -> NDArray[np.float32]:
    samples, _rate = read_audio(path, rate=rate)
    return np.ascontiguousarray(fit_channels(samples, channels))


def _end_of(path: Path, rate: int, channels: int) -> NDArray[np.float32]:
    length = seconds_of(path)
    samples, _rate = read_audio(path, rate=rate, start=max(0.0, length - KEPT_SECONDS))
    if samples.shape[1] < rate // 2:
        raise CallError(
            _("{path} is too short to go on from.").format(path=path), _("Half a second is needed.")
        )
    return np.ascontiguousarray(fit_channels(samples, channels))


def _throttled(emit: Emit, clip: int) -> Callable[[int, int], None]:
    told = 0.0

    def step(done: int, total: int) -> None:
        nonlocal told
        check_cancelled()
        now = time.monotonic()
        if done == total or now - told >= 1 / _EVENTS_A_SECOND:
            told = now
            emit({"event": "tokens", "done": done, "total": total, "clip": clip})

    return step


def _free_path(folder: Path, spec: GenerateSpec, seed: int) -> Path:
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{spec.file_words}-{seed}"
    number = 1
    path = folder / f"{stem}.{spec.format}"
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.{spec.format}"
    return path


@contextmanager
def _explained(spec: GenerateSpec) -> Iterator[None]:
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MusicHelperError(
            _("The GPU has too little memory for {model}.").format(model=spec.model),
            _("Use a smaller model or a shorter clip, or close what else uses the GPU."),
        ) from error
