"""Writing clips: loudness, true-peak limit, and the file's own metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio.loudness import LoudnessMeter
from assistant.audio.metadata import append_info, set_tags
from assistant.audio.open import create_sound, open_sound
from assistant.audio.truepeak import limited, true_peak
from assistant.errors import CallError
from assistant.files import whole_file
from assistant.i18n import _

PEAK_LIMIT = -1.0  # dBTP
_FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
_LOSSY = (".ogg", ".mp3")
# libsndfile's scale from 0, the best: LAME's V0; Vorbis's quality 8.
_COMPRESSION = {".mp3": 0.0, ".ogg": 0.2}
_MOST_MAKE_UP = 6.0  # dB of gain that may be added for what the limiter takes
_NEAR_ENOUGH = 0.1  # LU
_ROUNDS = 4
_BLOCK = 1 << 16  # libsndfile's Vorbis fails on very long writes

Array = np.ndarray[Any, Any]


def write_audio(
    path: Path,
    samples: Array,
    rate: int,
    *,
    loudness: float | None = -14.0,
    ceiling: float = PEAK_LIMIT,
    comment: str = "",
    title: str = "",
    program: str = "",
) -> Path:
    """Write float32 samples [channels, samples] as WAV (PCM_16), FLAC, Ogg or MP3, by the suffix.

    `loudness` is the integrated loudness to reach (LUFS, ITU-R BS.1770); None leaves the level as it
    is. The true peak stays under `ceiling` (dBTP) either way, and both are also those of what a player
    makes of Ogg and MP3, whose encoders leave out what is highest. `comment`, `title` and `program` are kept
    in the file's metadata.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise CallError(
            _("Audio cannot be written as {suffix!r}.").format(suffix=path.suffix),
            _("Use one of these: {suffixes}.").format(suffixes=", ".join(_FORMATS)),
        )
    samples = np.nan_to_num(np.asarray(samples, np.float32), posinf=1.0, neginf=-1.0)
    tags = (title, comment, program)
    with whole_file(path) as temporary:
        sound = mastered(samples, rate, loudness, ceiling)
        _encode(temporary, suffix, sound, rate, tags)
        wanted = None if loudness is None else _loudness_of(sound, rate)
        level, limit = loudness, ceiling
        for _round in range(_ROUNDS if suffix in _LOSSY else 0):
            with open_sound(temporary) as file:
                heard = file.read(dtype="float32", always_2d=True).T
            over = max(0.0, true_peak(heard) - ceiling)
            reached = _loudness_of(heard, rate)
            lost = 0.0 if wanted is None or reached is None else wanted - reached
            if over == 0 and abs(lost) < _NEAR_ENOUGH:
                break
            limit -= over
            if loudness is not None and level is not None:
                level = min(level + lost, loudness + _MOST_MAKE_UP)
            _encode(temporary, suffix, mastered(samples, rate, level, limit), rate, tags)
    return path


def mastered(samples: Array, rate: int, loudness: float | None, ceiling: float) -> Array:
    """Float32 samples [channels, samples] at a loudness (LUFS; None: as it is) under a true peak (dBTP).

    What the limiter takes away is made up for, by 6 dB at most; silence stays as it is.
    """
    if loudness is None:
        return limited(samples, rate, ceiling)
    measured = _loudness_of(samples, rate)
    if measured is None:
        return limited(samples, rate, ceiling)
    gain = loudness - measured
    most = gain + _MOST_MAKE_UP
    for _round in range(_ROUNDS):
        levelled = samples * np.float32(10 ** (gain / 20))
        mastered = limited(levelled, rate, ceiling)
        reached = _loudness_of(mastered, rate)
        if mastered is levelled or reached is None or loudness - reached < _NEAR_ENOUGH or gain >= most:
            break
        gain = min(most, gain + loudness - reached)
    return mastered


def _encode(path: Path, suffix: str, samples: Array, rate: int, tags: tuple[str, str, str]) -> None:
    container, subtype = _FORMATS[suffix]
    channels, compression = len(samples), _COMPRESSION.get(suffix)
    with create_sound(path, rate, channels, subtype, container, compression_level=compression) as file:
        if suffix != ".wav":
            set_tags(file, *tags)
        for start in range(0, samples.shape[1], _BLOCK):
            file.write(samples[:, start : start + _BLOCK].T)
    if suffix == ".wav":
        append_info(path, *tags)


def _loudness_of(samples: Array, rate: int) -> float | None:
    meter = LoudnessMeter(rate, len(samples))
    meter.add(samples.T)
    return meter.integrated()
