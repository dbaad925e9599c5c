"""A linear head on the features of the pretrained networks. For a worker process only.

Each kind of features (see `heard.BLOCKS`) has a multinomial logistic regression of its own, and their scores
are averaged: a logarithmic opinion pool (Hinton, 1999, "Products of experts"), which is less sure of itself
with few tracks than one regression on everything. The pool is again one linear map, so that the mean of the
scores of segments is the score of their mean vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.classify.heard import BLOCKS
from assistant.classify.segments import Floats, Integers, Segments

STRENGTH = 1.0
"""Inverse regularisation of `LogisticRegression` on standardised values; each track weighs 1."""
MOST_ROWS = 20_000
MOST_PER_TRACK = 16
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


def fit(
    training: Segments, classes: int, seed: int = 0, blocks: Sequence[slice] = tuple(BLOCKS.values())
) -> HeadClassifier:
    """Train on segments, all tracks weighing the same; on these blocks of the features only, if named."""
    means = training.track_means()[0]
    mean, deviation = means.mean(axis=0), np.maximum(means.std(axis=0), _LEAST_DEVIATION)
    most = max(1, min(MOST_PER_TRACK, MOST_ROWS // len(means)))
    places = np.sort(training.drawn(most, np.random.default_rng(seed)))
    tracks, counts = np.unique(training.tracks[places], return_counts=True)
    shares = 1 / counts[np.searchsorted(tracks, training.tracks[places])]
    scaled = (np.asarray(training.features[places], np.float32) - mean) / deviation
    weights, bias = np.zeros((len(mean), classes)), np.zeros(classes)
    for block in blocks:
        found = _regression(scaled[:, block], training.labels[places], shares, classes)
        weights[block], bias = found[0] / len(blocks), bias + found[1] / len(blocks)
    return HeadClassifier(*(np.asarray(part, np.float32) for part in (mean, deviation, weights, bias)))


def restore(arrays: dict[str, Any]) -> HeadClassifier:
    """The classifier of saved arrays. Raises `KeyError` where one is missing."""
    return HeadClassifier(*(arrays[name] for name in ("mean", "deviation", "weights", "bias")))


def _regression(
    values: Floats, labels: Integers, shares: np.ndarray[Any, Any], classes: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Weights (values, genres) and bias (genres)."""
    from sklearn.linear_model import LogisticRegression

    found: Any = LogisticRegression(C=STRENGTH, max_iter=2_000).fit(values, labels, sample_weight=shares)
    coefficients, intercept = found.coef_, found.intercept_
    if len(found.classes_) == 2:  # one row then: the log-odds of the second
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    weights, bias = np.zeros((values.shape[1], classes)), np.full(classes, _ABSENT)
    weights[:, found.classes_], bias[found.classes_] = coefficients.T, intercept
    return weights, bias
