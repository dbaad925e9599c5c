"""How far a track is from all that was trained on, by distance and by direction.

The distance is that of Mahalanobis to the nearest genre, after Lee and others (2018), "A simple unified
framework for detecting out-of-distribution samples and adversarial attacks"; the shared covariance is shrunk
as Ledoit and Wolf (2004) do, as there are few tracks for many dimensions. The direction is the cosine to the
nearest genre in the same whitened space: with many dimensions a track of a new genre is often no farther out
than others, and points elsewhere. For a worker process only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from assistant.classify.segments import Floats, Integers

PREFIX = "novelty."
_LEAST = 1e-6


@dataclass(frozen=True)
class Novelty:
    """Where the genres lie once all directions are comparable."""

    centre: Floats
    """The mean of all tracks, shape (values,)."""
    whitening: Floats
    """Shape (values, values)."""
    genres: Floats
    """The whitened mean of each genre, shape (genres, values)."""

    def distance(self, embedding: Floats) -> float:
        """The distance of a track's embedding to the nearest genre, times one less the largest cosine."""
        place = (embedding - self.centre) @ self.whitening
        away = np.linalg.norm(place - self.genres, axis=1).min()
        lengths = np.linalg.norm(self.genres, axis=1) * np.linalg.norm(place)
        return float(away * (1 - (self.genres @ place / np.maximum(lengths, _LEAST)).max()))

    def arrays(self) -> dict[str, Floats]:
        """What is saved."""
        return {PREFIX + field.name: getattr(self, field.name) for field in fields(self)}


def fit(embeddings: Floats, labels: Integers) -> Novelty:
    """Learn what the training tracks (tracks, values) of these genres are like."""
    from sklearn.covariance import ledoit_wolf

    present, inverse = np.unique(labels, return_inverse=True)
    means = np.stack([embeddings[labels == label].mean(axis=0) for label in present])
    covariance, _shrinkage = ledoit_wolf(embeddings - means[inverse], assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors / np.sqrt(np.maximum(values, _LEAST * max(float(values.max()), 1e-3)))
    centre = embeddings.mean(axis=0)
    return Novelty(*(np.asarray(a, np.float32) for a in (centre, whitening, (means - centre) @ whitening)))


def restore(arrays: dict[str, Any]) -> Novelty:
    """What was saved. Raises `KeyError` where it is missing."""
    return Novelty(*(arrays[PREFIX + field.name] for field in fields(Novelty)))
