"""Features of tracks, segment by segment, kept as one memory-mapped file for each content.

`mfcc` has the numbers of the classic genre tutorials: 22,050 Hz mono, 13 coefficients, windows of 2,048
samples every 512, segments of 3 s. `mel` is a log-mel spectrogram in the same frames; `musicnn` is what the
pretrained networks make of a segment. To be used in a worker process only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from assistant.audio.decode import read_floats
from assistant.audio.open import open_sound
from assistant.classify.mfcc import COEFFICIENTS, HOP, MEL_BANDS, RATE, log_mel, mfcc
from assistant.errors import FileError
from assistant.files import whole_file
from assistant.i18n import _

Kind = Literal["mfcc", "mel", "musicnn"]
Features = np.ndarray[Any, Any]
Samples = np.ndarray[Any, np.dtype[np.float32]]

FEWEST_SEGMENTS = 10
"""A track shorter than so many segments in a row has MFCC segments that overlap."""
SHORTEST_STEP = 1.0
"""Segments that overlap begin at least so many seconds after each other."""
HEARD = 16
"""So many segments, spread evenly over the track, go through the pretrained networks."""
SILENCE = 1e-3
"""A segment whose root mean square is below this (-60 dBFS) is not music."""
FEATURES_VERSION = 3
"""Part of the cache's file names: to be raised with any change of the numbers."""
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Source:
    """A file to take features from. Without a `content` hash nothing is cached."""

    path: Path
    content: str | None = None


@dataclass(frozen=True)
class FeatureSpec:
    """Which features are taken."""

    kind: Kind
    segment_seconds: float = 3.0
    most_segments: int = 0
    """So many segments at most, spread evenly over the track; 0: all of it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one segment: (frames, coefficients or bands, 1), or (values,)."""
        if self.kind == "musicnn":
            from assistant.classify.heard import VALUES

            return (VALUES,)
        return (
            frames_per_segment(self.segment_seconds),
            COEFFICIENTS if self.kind == "mfcc" else MEL_BANDS,
            1,
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Levels in dB need no more than half precision."""
        return np.dtype(np.float16 if self.kind == "mel" else np.float32)

    def starts(self, duration: float) -> list[float]:
        """Where segments begin in a track that is long enough, in seconds."""
        room = max(0.0, duration - self.segment_seconds)
        count = 1 + int((room + 1e-3) / self.segment_seconds)
        last = (count - 1) * self.segment_seconds
        if count < FEWEST_SEGMENTS and self.kind != "mel":
            count, last = min(FEWEST_SEGMENTS, 1 + int((room + 1e-3) / SHORTEST_STEP)), room
        most = HEARD if self.kind == "musicnn" else self.most_segments
        if most and count > most:
            count, last = most, room
        found: list[float] = np.linspace(0.0, last, count).tolist()
        return found


def frames_per_segment(segment_seconds: float) -> int:
    """Windows in a segment, centred as librosa does."""
    return 1 + round(segment_seconds * RATE) // HOP


def extract(source: Source, spec: FeatureSpec, cache: Path | None) -> Features:
    """Features of a track, shape (segments, *spec.shape); memory-mapped where there is a cache.

    Raises `FileError` for a file that cannot be read, is shorter than a segment, or is silent.
    """
    if cache is None or source.content is None:
        return _compute(source.path, spec)
    kept = cached_features(source.content, spec, cache)
    if kept is not None:
        return kept
    features = _compute(source.path, spec)
    path = _cache_path(source.content, spec, cache)
    with whole_file(path, durable=False) as temporary, temporary.open("wb") as file:
        np.save(file, features)
    kept = cached_features(source.content, spec, cache)
    return features if kept is None else kept


def extract_all(
    sources: Sequence[Source], spec: FeatureSpec, cache: Path | None, threads: int
) -> Iterator[tuple[int, Features | FileError]]:
    """Features of many tracks as they are ready, as (index, features or what is wrong)."""
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)

    def one(source: Source) -> Features | FileError:
        try:
            return extract(source, spec, cache)
        except FileError as error:
            return error

    # Transforms, resampling and reading leave the interpreter alone, so that threads are enough.
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        waiting: dict[Future[Features | FileError], int] = {}
        try:
            for index, source in enumerate(sources):
                waiting[pool.submit(one, source)] = index
            for future in as_completed(list(waiting)):
                yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def cached_features(content: str, spec: FeatureSpec, cache: Path) -> Features | None:
    """The features kept for a content hash, or None where there are none that can be used."""
    try:
        features: Features = np.load(_cache_path(content, spec, cache), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # absent or damaged: made again
    return features if features.dtype == spec.dtype and features.shape[1:] == spec.shape else None


def _cache_path(content: str, spec: FeatureSpec, cache: Path) -> Path:
    most = f"-{spec.most_segments}" if spec.most_segments else ""
    return cache / f"{content}-{spec.kind}{FEATURES_VERSION}-{spec.segment_seconds:g}s{most}.npy"


def _compute(path: Path, spec: FeatureSpec) -> Features:
    sounding = (s for s in _segments(path, spec) if float(np.dot(s, s)) >= SILENCE**2 * len(s))
    if spec.kind == "musicnn":
        from assistant.classify.heard import hear

        rows = hear(sounding)
    else:
        transform = mfcc if spec.kind == "mfcc" else log_mel
        rows = [transform(segment)[..., np.newaxis].astype(spec.dtype) for segment in sounding]
    if not len(rows):
        raise FileError(
            path,
            _("{path} is silent.").format(path=path),
            _("It cannot be told by ear what it is; check the file."),
        )
    return np.stack(rows)


def _segments(path: Path, spec: FeatureSpec) -> Iterator[Samples]:
    """Mono segments at 22,050 Hz; of a long file no more than a block and a segment are in memory."""
    length = round(spec.segment_seconds * RATE)
    try:
        with open_sound(path) as file:
            duration = file.frames / file.samplerate
            if duration < spec.segment_seconds - 1e-3:
                raise FileError(
                    path,
                    _("{path} is too short: {duration:.1f} s.").format(path=path, duration=duration),
                    _("A track needs at least {seconds:g} s to be classified.").format(
                        seconds=spec.segment_seconds
                    ),
                )
            starts = [round(start * RATE) for start in spec.starts(duration)]
            begin, held = 0, np.empty(0, np.float32)
            for block in _resampled(file):
                held = np.concatenate([held, block])
                while starts and starts[0] + length <= begin + len(held):
                    yield held[starts[0] - begin :][:length]
                    starts.pop(0)
                passed = max(0, starts[0] - begin) if starts else len(held)
                begin, held = begin + min(passed, len(held)), held[passed:]
        for start in starts:  # resampling rounds the length
            if start - begin < len(held):
                tail = held[start - begin :][:length]
                yield np.pad(tail, (0, length - len(tail)))
    except (OSError, RuntimeError, ValueError) as error:
        raise FileError(
            path,
            _("{path} cannot be read: {reason}.").format(path=path, reason=error),
            _("The file is damaged; make it again or take another copy."),
        ) from error


def _resampled(file: soundfile.SoundFile) -> Iterator[Samples]:
    import soxr

    stream = soxr.ResampleStream(file.samplerate, RATE, 1, dtype="float32", quality="HQ")
    last = False
    while not last:
        block = read_floats(file, _BLOCK)
        last = len(block) < _BLOCK
        mono = block @ np.full(block.shape[1], 1 / block.shape[1], np.float32)
        if not np.isfinite(mono).all():
            raise ValueError(_("it holds values that are no numbers"))
        yield mono if file.samplerate == RATE else stream.resample_chunk(mono, last=last)
