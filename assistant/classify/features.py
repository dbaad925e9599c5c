"""MFCC segments of tracks: librosa in a pool of threads, kept as one file for each content.

The numbers are those of the classic genre tutorials: 22,050 Hz mono, 13 coefficients, windows of
2,048 samples every 512, segments of 3 s. To be used in a worker process only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from assistant.audio.read import read_audio
from assistant.errors import FileError
from assistant.files import whole_file
from assistant.i18n import _

RATE = 22_050
COEFFICIENTS = 13
WINDOW = 2_048
HOP = 512
MAX_SEGMENTS = 16
"""So many segments are spread evenly over a track, however long it is."""
SHORTEST_STEP = 1.0
"""Segments of a short track overlap; they begin at least so many seconds after each other."""
SILENCE = 1e-3
"""A segment whose root mean square is below this (-60 dBFS) is not music."""
READ_WHOLE = 90.0
"""A track up to so many seconds is read at once, as its segments overlap."""
FEATURES_VERSION = 1
"""Part of the cache's file names: to be raised with any change of the numbers."""

Features = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Source:
    """A file to take features from. Without a `content` hash nothing is cached."""

    path: Path
    content: str | None = None


def frames_per_segment(segment_seconds: float) -> int:
    """Windows in a segment, centred as librosa does."""
    return 1 + round(segment_seconds * RATE) // HOP


def extract(source: Source, segment_seconds: float, cache: Path | None) -> Features:
    """MFCC of a track, shape (segments, frames, coefficients, 1), float16.

    Raises `FileError` for a file that cannot be read, is shorter than a segment, or is silent.
    """
    if cache is None or source.content is None:
        return _compute(source.path, segment_seconds)
    kept = cached_features(source.content, segment_seconds, cache)
    if kept is not None:
        return kept
    features = _compute(source.path, segment_seconds)
    path = _cache_path(source.content, segment_seconds, cache)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, features)
    return features


def extract_all(
    sources: Sequence[Source], segment_seconds: float, cache: Path | None, threads: int
) -> Iterator[tuple[int, Features | FileError]]:
    """Features of many tracks as they are ready, as (index, features or what is wrong)."""
    import librosa

    # librosa loads its parts when they are first named, which two threads must not do at once.
    _first_use: Callable[..., Any] = librosa.feature.mfcc
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)

    def one(source: Source) -> Features | FileError:
        try:
            return extract(source, segment_seconds, cache)
        except FileError as error:
            return error

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        waiting: dict[Future[Features | FileError], int] = {}
        try:
            for index, source in enumerate(sources):
                waiting[pool.submit(one, source)] = index
            for future in as_completed(list(waiting)):
                yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def cached_features(content: str, segment_seconds: float, cache: Path) -> Features | None:
    """The features kept for a content hash, or None where there are none that can be used."""
    try:
        features: Features = np.load(_cache_path(content, segment_seconds, cache), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # absent or damaged: made again
    expected = (frames_per_segment(segment_seconds), COEFFICIENTS, 1)
    return features if features.dtype == np.float16 and features.shape[1:] == expected else None


def _cache_path(content: str, segment_seconds: float, cache: Path) -> Path:
    return cache / f"{content}-mfcc{FEATURES_VERSION}-{segment_seconds:g}s.npy"


def _compute(path: Path, segment_seconds: float) -> Features:
    import librosa

    rows = [
        librosa.feature.mfcc(y=segment, sr=RATE, n_mfcc=COEFFICIENTS, n_fft=WINDOW, hop_length=HOP).T
        for segment in _segments(path, segment_seconds)
        if float(np.sqrt(np.mean(segment**2))) >= SILENCE
    ]
    if not rows:
        raise FileError(
            path,
            _("{path} is silent.").format(path=path),
            _("It cannot be told by ear what it is; check the file."),
        )
    return np.stack(rows)[..., np.newaxis].astype(np.float16)


def _segments(path: Path, segment_seconds: float) -> Iterator[npt.NDArray[np.float32]]:
    """Mono segments spread evenly over the file; of a long one no more than a segment is in memory."""
    length = round(segment_seconds * RATE)
    try:
        duration = soundfile.info(os.fsencode(path)).duration
        room = duration - segment_seconds + 1e-3
        if room < 0:
            raise FileError(
                path,
                _("{path} is too short: {duration:.1f} s.").format(path=path, duration=duration),
                _("A track needs at least {seconds:g} s to be classified.").format(seconds=segment_seconds),
            )
        count = min(MAX_SEGMENTS, 1 + int(room / SHORTEST_STEP))
        whole = read_audio(path, rate=RATE, mono=True)[0][0] if duration <= READ_WHOLE else None
        for start in np.linspace(0.0, max(0.0, duration - segment_seconds), count).tolist():
            if whole is not None:
                segment = whole[round(start * RATE) :][:length]
            else:
                samples, _rate = read_audio(path, rate=RATE, mono=True, start=start, duration=segment_seconds)
                segment = samples[0][:length]
            if not np.isfinite(segment).all():
                raise ValueError(_("it holds values that are no numbers"))
            yield np.pad(segment, (0, length - len(segment)))
    except (OSError, RuntimeError, ValueError) as error:
        raise FileError(
            path,
            _("{path} cannot be read: {reason}.").format(path=path, reason=error),
            _("The file is damaged; make it again or take another copy."),
        ) from error
