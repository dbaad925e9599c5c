"""A linear head on the features of the pretrained networks. For a worker process only.

Multinomial logistic regression on the mean vector of each track. As it is linear, the mean of the scores of
segments is the score of their mean: the vote of the segments is exactly what was trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.classify.segments import Floats, Segments

STRENGTH = 0.1
"""Inverse regularisation of scikit-learn's `LogisticRegression` on standardised values."""
_LEAST_DEVIATION = 0.1
"""All values are of the order of 1; one that hardly differs in training must not decide alone elsewhere."""
_ABSENT = -30.0


@dataclass(frozen=True)
class HeadClassifier:
    """Standardisation and weights."""

    mean: Floats
    deviation: Floats
    weights: Floats
    """Shape (values, genres)."""
    bias: Floats

    def hear(self, features: Floats) -> tuple[Floats, Floats]:
        """Log-probabilities of segments (segments, genres), and the embedding of the track."""
        scaled = (np.asarray(features, np.float32) - self.mean) / self.deviation
        scores = scaled @ self.weights + self.bias
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return logs, scaled.mean(axis=0)

    def arrays(self) -> dict[str, Floats]:
        """What is saved."""
        return {"mean": self.mean, "deviation": self.deviation, "weights": self.weights, "bias": self.bias}


def fit(training: Segments, classes: int) -> HeadClassifier:
    """Train on the tracks of some segments."""
    from sklearn.linear_model import LogisticRegression

    vectors, labels = training.track_means()
    mean, deviation = vectors.mean(axis=0), np.maximum(vectors.std(axis=0), _LEAST_DEVIATION)
    found: Any = LogisticRegression(C=STRENGTH, max_iter=2_000).fit((vectors - mean) / deviation, labels)
    coefficients, intercept = found.coef_, found.intercept_
    if len(found.classes_) == 2:  # one row then: the log-odds of the second
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    weights, bias = np.zeros((vectors.shape[1], classes)), np.full(classes, _ABSENT)
    weights[:, found.classes_], bias[found.classes_] = coefficients.T, intercept
    return HeadClassifier(*(np.asarray(part, np.float32) for part in (mean, deviation, weights, bias)))


def restore(arrays: dict[str, Any]) -> HeadClassifier:
    """The classifier of saved arrays. Raises `KeyError` where one is missing."""
    return HeadClassifier(*(arrays[name] for name in ("mean", "deviation", "weights", "bias")))
