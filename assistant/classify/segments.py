"""Segments of many tracks as the models are trained on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from assistant.classify.features import FeatureSpec

Floats = np.ndarray[Any, np.dtype[np.float32]]
Integers = np.ndarray[Any, np.dtype[np.int64]]

_BLOCK = 256


@dataclass(frozen=True)
class Segments:
    """Features in a memory-mapped file, shape (segments, *shape of one)."""

    features: np.ndarray[Any, Any]
    labels: Integers
    tracks: Integers
    """The track that each segment is of; the segments of a track follow each other."""

    def chosen(self, places: Integers) -> Segments:
        """Some of the segments, each as a track of its own."""
        return Segments(self.features[places], self.labels[places], np.arange(len(places)))

    def drawn(self, most: int, order: np.random.Generator) -> Integers:
        """Places of at most so many segments of each track, in a random order."""
        shuffled = order.permutation(len(self.tracks))
        tracks = self.tracks[shuffled]
        by_track = np.argsort(tracks, kind="stable")
        rank = np.empty(len(tracks), dtype=np.int64)
        rank[by_track] = np.arange(len(tracks)) - np.searchsorted(tracks[by_track], tracks[by_track])
        return np.asarray(shuffled[rank < most], dtype=np.int64)

    def track_means(self) -> tuple[Floats, Integers]:
        """The mean vector and the label of each track, for features that are vectors."""
        _tracks, first, counts = np.unique(self.tracks, return_index=True, return_counts=True)
        means = [
            np.asarray(self.features[start : start + count], np.float64).mean(axis=0)
            for start, count in zip(first, counts, strict=True)
        ]
        return np.stack(means).astype(np.float32), self.labels[first]


@dataclass(frozen=True)
class Standard:
    """Mean and standard deviation of each coefficient over the training part, shape (coefficients,)."""

    mean: Floats
    deviation: Floats

    def apply(self, features: np.ndarray[Any, Any]) -> Floats:
        """Features (…, coefficients, 1) with mean 0 and deviation 1 for each coefficient."""
        values = features.astype(np.float32)
        scaled: Floats = (values - self.mean[:, np.newaxis]) / self.deviation[:, np.newaxis]
        return scaled


def pack(tracks: Iterable[tuple[np.ndarray[Any, Any], int]], spec: FeatureSpec, folder: Path) -> Segments:
    """Tracks as (features, label) in one file without a name in `folder`, so that memory stays flat."""
    labels: list[int] = []
    numbers: list[int] = []
    with TemporaryFile(dir=folder) as file:  # the map keeps it until it is let go of
        for number, (features, label) in enumerate(tracks):
            file.write(np.ascontiguousarray(features).tobytes())
            labels += [label] * len(features)
            numbers += [number] * len(features)
        file.flush()
        shape = (len(labels), *spec.shape)
        empty = not labels
        packed = np.empty(shape, spec.dtype) if empty else np.memmap(file, spec.dtype, mode="r", shape=shape)
    return Segments(packed, np.array(labels, dtype=np.int64), np.array(numbers, dtype=np.int64))


def measure_standard(segments: Segments) -> Standard:
    """Mean and deviation over all windows, taken in blocks."""
    coefficients = segments.features.shape[2]
    count, total, squares = 0, np.zeros(coefficients), np.zeros(coefficients)
    for start in range(0, len(segments.features), _BLOCK):
        block = segments.features[start : start + _BLOCK].reshape(-1, coefficients).astype(np.float64)
        count += len(block)
        total += block.sum(0)
        squares += (block**2).sum(0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return Standard(mean.astype(np.float32), np.maximum(deviation, 1e-3).astype(np.float32))
