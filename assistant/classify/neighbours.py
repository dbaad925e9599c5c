"""Which confirmed tracks sound most like another one, by the features that the classifier in use hears."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.classify.store import current_version, features_folder, read_description, version_folder
from assistant.library.library import Library

if TYPE_CHECKING:
    from assistant.classify.features import FeatureSpec
    from assistant.library.ledger import Track

Vector = np.ndarray[Any, np.dtype[np.float32]]

_LEAST_DEVIATION = 1e-6


@dataclass(frozen=True)
class Neighbour:
    """A track with a genre that sounds like the one asked about."""

    path: Path
    """Relative to the library."""
    wav: Path | None
    genre: str
    likeness: float
    """Cosine of the angle between the standardised means of both tracks' features, -1 to 1."""


class Neighbours:
    """Remembers the mean feature vector of each track, so that each is read once."""

    def __init__(self) -> None:
        self._vectors: dict[str, Vector] = {}
        self._version = ""

    def nearest(self, library: Library, track: Track, count: int = 5) -> list[Neighbour]:
        """The confirmed tracks nearest to a track, the most alike first.

        Empty where there is no classifier yet, or where the track has not been heard by it.
        """
        report = current_version(library)
        if report is None:
            return []
        if report.version != self._version:
            self._version, self._vectors = report.version, {}
        spec = read_description(version_folder(library, report.version)).feature_spec
        asked = self._vector(library, track.content, spec)
        if asked is None:
            return []
        known = []
        for other in library.ledger.tracks(state="ready"):
            genre = library.genre_of(other.path)
            if genre is None or other.content == track.content:
                continue
            vector = self._vector(library, other.content, spec)
            if vector is not None:
                known.append((other, genre, vector))
        if not known:
            return []
        vectors = np.stack([vector for _other, _genre, vector in known])
        mean, deviation = vectors.mean(axis=0), np.maximum(vectors.std(axis=0), _LEAST_DEVIATION)
        likeness = _cosines((vectors - mean) / deviation, (asked - mean) / deviation)
        order = np.argsort(-likeness, kind="stable")[:count]
        return [
            Neighbour(known[place][0].path, known[place][0].wav, known[place][1], float(likeness[place]))
            for place in order
        ]

    def _vector(self, library: Library, content: str, spec: FeatureSpec) -> Vector | None:
        from assistant.classify.features import cached_features

        if content not in self._vectors:
            features = cached_features(content, spec, features_folder(library))
            if features is None:
                return None  # it may be heard later
            self._vectors[content] = _summary(features)
        return self._vectors[content]


def _summary(features: np.ndarray[Any, Any]) -> Vector:
    """Features (segments, values) as their mean; (segments, frames, bands, 1) as mean and deviation."""
    values = np.asarray(features, np.float32)
    if values.ndim == 2:
        return np.asarray(values.mean(axis=0), np.float32)
    bands = values.reshape(-1, values.shape[2])
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0)]).astype(np.float32)


def _cosines(rows: Vector, one: Vector) -> Vector:
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(one)
    cosines: Vector = rows @ one / np.maximum(lengths, _LEAST_DEVIATION)
    return cosines
