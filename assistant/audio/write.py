"""Writing clips: loudness, peak limit, and a comment in the file's own metadata."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from assistant.audio.loudness import LoudnessMeter
from assistant.audio.open import create_sound, open_sound
from assistant.errors import CallError, FileError
from assistant.files import whole_file
from assistant.i18n import _

PEAK_LIMIT = -1.0  # dBFS
_FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}

Array = np.ndarray[Any, Any]


def write_audio(
    path: Path, samples: Array, rate: int, *, loudness: float | None = -14.0, comment: str = ""
) -> Path:
    """Write float32 samples [channels, samples] as WAV (PCM_16), FLAC, Ogg or MP3, by the suffix.

    `loudness` is the integrated loudness to reach (LUFS, ITU-R BS.1770); None leaves the level as it
    is. Peaks stay under -1 dBFS either way. `comment` is kept in the file's metadata.
    """
    if path.suffix.lower() not in _FORMATS:
        raise CallError(
            _("Audio cannot be written as {suffix!r}.").format(suffix=path.suffix),
            _("Use one of these: {suffixes}.").format(suffixes=", ".join(_FORMATS)),
        )
    container, subtype = _FORMATS[path.suffix.lower()]
    samples = np.nan_to_num(np.asarray(samples, np.float32), posinf=1.0, neginf=-1.0)
    if loudness is not None:
        samples = at_loudness(samples, rate, loudness)
    samples = limited(samples, rate)
    with (
        whole_file(path) as temporary,
        create_sound(temporary, rate, len(samples), subtype, container) as file,
    ):
        if comment:
            file.comment = comment
        for start in range(0, samples.shape[1], 1 << 16):  # libsndfile's Vorbis fails on very long writes
            file.write(samples[:, start : start + (1 << 16)].T)
    return path


def read_comment(path: Path) -> str:
    """The comment that `write_audio` put into a file; empty where there is none."""
    try:
        with open_sound(path) as file:
            comment = file.comment
    except (soundfile.SoundFileError, OSError) as error:
        raise FileError(path, _("{path} cannot be read as audio.").format(path=path)) from error
    return comment or ""


def at_loudness(samples: Array, rate: int, target: float) -> Array:
    """The samples at an integrated loudness of `target` LUFS; unchanged where they have none."""
    meter = LoudnessMeter(rate, len(samples))
    meter.add(samples.T)
    loudness = meter.integrated()
    if loudness is None:
        return samples
    levelled: Array = samples * np.float32(10 ** ((target - loudness) / 20))
    return levelled


def limited(samples: Array, rate: int, ceiling: float = PEAK_LIMIT) -> Array:
    """The samples with peaks over `ceiling` dBFS turned down smoothly, the rest untouched."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    top = 10 ** (ceiling / 20)
    peaks = np.abs(samples).max(axis=0, initial=0.0)
    if not len(peaks) or peaks.max() <= top:
        return samples
    needed = np.minimum(1.0, top / np.maximum(peaks, 1e-9))
    reach = max(3, math.ceil(rate * 0.01)) | 1
    # The mean over a window of the minimum over the same window never exceeds what is needed.
    gain = uniform_filter1d(minimum_filter1d(needed, reach), reach)
    turned_down: Array = np.clip(samples * gain.astype(np.float32), -top, top)
    return turned_down
