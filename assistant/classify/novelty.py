"""How far a track is from all that was trained on: the Mahalanobis distance to the nearest genre.

After Lee and others (2018), "A simple unified framework for detecting out-of-distribution samples and
adversarial attacks"; the shared covariance is shrunk as Ledoit and Wolf (2004) do, as there are few tracks
for many dimensions. For a worker process only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from assistant.classify.segments import Floats, Integers

PREFIX = "novelty."


@dataclass(frozen=True)
class Novelty:
    """The mean of each genre, and what makes distances comparable in all directions."""

    means: Floats
    """Shape (genres, values)."""
    whitening: Floats
    """Shape (values, values)."""

    def distance(self, embedding: Floats) -> float:
        """The distance of a track's embedding to the nearest genre."""
        return float(np.linalg.norm((embedding - self.means) @ self.whitening, axis=1).min())

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
    whitening = vectors / np.sqrt(np.maximum(values, 1e-6 * max(float(values.max()), 1e-3)))
    return Novelty(means.astype(np.float32), whitening.astype(np.float32))


def restore(arrays: dict[str, Any]) -> Novelty:
    """What was saved. Raises `KeyError` where it is missing."""
    return Novelty(*(arrays[PREFIX + field.name] for field in fields(Novelty)))
