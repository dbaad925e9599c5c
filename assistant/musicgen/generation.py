"""Clips: tokens from the language model, audio from the codec, a file with its recipe."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio.read import read_audio, seconds_of
from assistant.audio.write import write_audio
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.clip_sounds import Batch, Sound, batches, clip_sounds
from assistant.musicgen.encode import fit_channels
from assistant.musicgen.engine.engine import Engine
from assistant.musicgen.identity import model_hashes
from assistant.musicgen.melody import BEATS, has_separator
from assistant.musicgen.preview import Preview
from assistant.musicgen.recipe import as_comment, new_recipe, program_name
from assistant.musicgen.separation import without
from assistant.musicgen.spec import GenerateSpec
from assistant.workers import Emit, check_cancelled

PREVIEWS = ".previews"
KEPT_SECONDS = 30.0
"""A clip that goes on from a file begins with at most this much of the file's end."""
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


def _written(spec: GenerateSpec, library: Library, samples: Sound, recipe: dict[str, Any]) -> dict[str, Any]:
    """Write the one clip of a request into its file and the ledger."""
    assert spec.seed is not None
    folder = Path(spec.out).absolute() if spec.out else library.paths.clips
    folder.mkdir(parents=True, exist_ok=True)
    path = _free_path(folder, spec, spec.seed)
    rate = recipe["sample_rate"]
    try:
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
    except OSError as error:
        raise MusicHelperError(
            _("The clip {path} cannot be written: {reason}.").format(path=path, reason=error.strerror),
            _("Make room on the disk and check that you may write to the folder."),
        ) from error
    duration = samples.shape[1] / rate
    library.ledger.add_clip(path, recipe, duration)
    return {
        "path": os.fsdecode(path),
        "seed": spec.seed,
        "duration": duration,
        "model": spec.model,
        "prompt": spec.prompt,
        "english": spec.told(spec.prompt),
        "then_english": list(spec.told_then),
    }


def _sounds(
    model: Engine,
    spec: GenerateSpec,
    batch: Batch,
    kept: Sound | None,
    melody: Sound | None,
    library: Library,
    emit: Emit,
) -> list[Sound]:
    """The clips of a batch, each `[channels, samples]`; what is ready can be heard meanwhile."""
    first = batch[0][0]
    folder = library.paths.clips / PREVIEWS
    previews = [
        Preview(folder / f"{os.getpid()}-{number}.wav", model.rate, model.channels)
        for number, _prompt in batch
    ]

    def on_sound(place: int, piece: Sound) -> None:
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

    try:
        return clip_sounds(
            model, spec, batch, kept=kept, melody=melody, on_steps=_throttled(emit, first), on_sound=on_sound
        )
    finally:
        for preview in previews:
            preview.remove()


def _tune(path: Path, model: Engine, emit: Emit) -> Sound:
    """The sound whose melody is followed."""
    if not has_separator():
        text = _("No stem separator is installed: drums and bass count as part of the melody.")
        emit({"event": "warning", "text": text})
    return without(_read(path, model.rate, model.channels), model.rate, BEATS)


def _read(path: Path, rate: int, channels: int) -> Sound:
    samples, _rate = read_audio(path, rate=rate)
    return np.ascontiguousarray(fit_channels(samples, channels))


def _end_of(path: Path, rate: int, channels: int) -> Sound:
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
