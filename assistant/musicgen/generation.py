"""Clips: tokens from the language model, audio from the codec, a file with its recipe."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.read import read_audio, seconds_of
from assistant.audio.write import write_audio
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.encode import fit_channels
from assistant.musicgen.recipe import as_comment
from assistant.musicgen.spec import GenerateSpec
from assistant.workers import Emit

if TYPE_CHECKING:
    from audiocraft.models.musicgen import MusicGen

OVERLAP = 0.4
"""What is longer than the model's span is made in windows; each begins with this part of the last."""
KEPT_SECONDS = 30.0
"""A clip that goes on from a file begins with at most this much of the file's end."""
CROSSFADE_SECONDS = 0.03
_EVENTS_A_SECOND = 10


def make_clips(
    model: MusicGen,
    spec: GenerateSpec,
    library: Library,
    *,
    continue_from: Path | None,
    melody: Path | None,
    emit: Emit,
) -> list[dict[str, Any]]:
    """Make, write and note down the clips of a request, one after the other.

    Each clip is decoded by itself from its own seed, so that it is the same clip whatever else is
    asked for in the same request.
    """
    import torch

    assert spec.seed is not None
    rate, channels = model.sample_rate, model.audio_channels
    if melody is not None and "self_wav" not in model.lm.condition_provider.conditioners:
        raise CallError(
            _("The model {model} cannot follow a melody.").format(model=spec.model),
            _("Use facebook/musicgen-melody."),
        )
    kept = _end_of(continue_from, rate, channels) if continue_from else None
    tune = _read(melody, rate, channels) if melody else None
    clips = []
    for number in range(spec.count):
        seed = spec.seed + number
        began = time.monotonic()
        torch.manual_seed(seed)
        with _explained(spec):
            samples = _clip(model, spec, kept, tune, _throttled(emit, number))
        recipe = {
            **spec.as_dict(),
            "seed": seed,
            "count": 1,
            "out": None,
            "sample_rate": rate,
            "seconds_to_make": round(time.monotonic() - began, 2),
            "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        folder = Path(spec.out).absolute() if spec.out else library.paths.clips
        folder.mkdir(parents=True, exist_ok=True)
        path = _free_path(folder, spec, seed)
        write_audio(path, samples, rate, loudness=spec.loudness, comment=as_comment(recipe))
        duration = samples.shape[1] / rate
        library.ledger.add_clip(path, recipe, duration)
        clip = {
            "path": os.fsdecode(path),
            "seed": seed,
            "duration": duration,
            "model": spec.model,
            "prompt": spec.prompt,
        }
        clips.append(clip)
        emit({"event": "clip", **clip})
    return clips


def _clip(
    model: MusicGen,
    spec: GenerateSpec,
    kept: NDArray[np.float32] | None,
    melody: NDArray[np.float32] | None,
    on_step: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """One clip `[channels, samples]`."""
    import torch

    rate, span = model.sample_rate, model.max_duration
    # The end of the file that the model hears; a window always leaves room for something new.
    hop = round(rate / model.frame_rate)
    heard = None
    if kept is not None:
        length = min(int(OVERLAP * span * rate), kept.shape[1]) // hop * hop
        heard = kept[:, -length:]
    prompt = torch.from_numpy(heard)[None] if heard is not None else None
    frames = math.ceil(spec.duration * rate / hop) + (0 if heard is None else heard.shape[1] // hop)
    wanted = frames / model.frame_rate + 1e-6  # audiocraft rounds down
    model.set_generation_params(
        use_sampling=spec.temperature > 0,
        temperature=spec.temperature,
        top_k=min(spec.top_k, model.lm.card),
        top_p=spec.top_p,
        cfg_coef=spec.cfg,
        duration=wanted,
        extend_stride=span * (1 - OVERLAP),
    )
    attributes, tokens = model._prepare_tokens_and_attributes(
        [spec.prompt or None],
        prompt,
        [torch.from_numpy(melody)] if melody is not None else None,
    )
    total = _steps(model, wanted, 0 if tokens is None else tokens.shape[-1])
    done = 0

    def step(_done: int, _total: int) -> None:
        nonlocal done
        done += 1
        on_step(min(done, total), total)

    model.set_custom_progress_callback(step)
    small = model.device.type == "cpu"
    with torch.inference_mode(), backend.threads(1 if small else backend.usable_threads()):
        codes = model._generate_tokens(attributes, tokens, progress=True)
    with torch.inference_mode(), backend.threads(backend.usable_threads()):
        audio = model.generate_audio(codes)[0].float().cpu().numpy()
    on_step(total, total)
    if kept is None or heard is None:
        return audio[:, : round(spec.duration * rate)]
    return splice(
        kept,
        audio[:, : heard.shape[1] + round(spec.duration * rate)],
        heard.shape[1],
        int(CROSSFADE_SECONDS * rate),
    )


def splice(
    kept: NDArray[np.float32], audio: NDArray[np.float32], heard: int, fade: int
) -> NDArray[np.float32]:
    """The file's own audio, then what is new of `audio`, whose first `heard` samples are the file's end
    as the codec says it: the codec's version is heard only inside the crossfade."""
    fade = min(fade, heard)
    rise = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
    joined = np.concatenate([kept, audio[:, heard:]], axis=1)
    joint = slice(kept.shape[1] - fade, kept.shape[1])
    joined[:, joint] = kept[:, joint] * (1 - rise) + audio[:, heard - fade : heard] * rise
    return joined


def _steps(model: MusicGen, seconds: float, prompt: int) -> int:
    """How many tokens steps audiocraft's windows will take."""
    total = int(seconds * model.frame_rate)
    longest = int(min(seconds, model.max_duration) * model.frame_rate)
    delay = int(model.lm.pattern_provider.get_pattern(longest).max_delay)
    if seconds <= model.max_duration:
        return total - prompt + delay
    stride = int(model.frame_rate * (model.extend_stride or longest))
    steps, offset = 0, 0
    while offset + prompt < total:
        window = int(min(seconds - offset / model.frame_rate, model.max_duration) * model.frame_rate)
        steps += window - prompt + delay
        prompt = window - stride
        offset += stride
    return steps


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
