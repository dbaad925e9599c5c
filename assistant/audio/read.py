"""Reading our own WAV, FLAC and Ogg files into arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from assistant.audio.open import open_sound
from assistant.errors import FileError
from assistant.i18n import _

Samples = np.ndarray[Any, np.dtype[np.float32]]


def read_audio(
    path: Path, rate: int | None = None, mono: bool = False, start: float = 0.0, duration: float | None = None
) -> tuple[Samples, int]:
    """Samples as float32 [channels, samples], and their rate.

    `rate` resamples; `start` and `duration` (seconds) choose a part, which is shorter where the file
    ends. Raises `FileError` for a file that cannot be read.
    """
    try:
        with open_sound(path) as file:
            own = file.samplerate
            file.seek(min(round(start * own), file.frames))
            frames = -1 if duration is None else round(duration * own)
            samples = file.read(frames, dtype="float32", always_2d=True).T
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path) from error
    if mono and len(samples) > 1:
        samples = samples.mean(axis=0, keepdims=True)
    if rate is not None and rate != own:
        import soxr

        samples = soxr.resample(samples.T, own, rate).T
    return np.ascontiguousarray(samples, dtype=np.float32), rate or own


def seconds_of(path: Path) -> float:
    """The length of a file. Raises `FileError` for a file that cannot be read."""
    try:
        with open_sound(path) as file:
            return float(file.frames / file.samplerate)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> FileError:
    return FileError(
        path,
        _("{path} cannot be read as audio.").format(path=path),
        _("Use a WAV, FLAC or Ogg file; others are converted by taking them into a library."),
    )
