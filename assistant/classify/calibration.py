"""Probabilities that can be believed: the vote of segments, a temperature, and sets of genres.

The temperature is after Guo and others (2017), "On calibration of modern neural networks"; the sets are
split-conformal (least ambiguous sets; Sadinle and others, 2019). Both are learned on tracks that the model
was not trained on. That a set holds the truth as often as promised needs new music like the old one.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

BINS = 10
SURE = 0.9
_DRAWS = 500
_TEMPERATURES = np.geomspace(0.05, 20.0, 241)
_PRIOR_DEVIATION = 1.0
"""Of the logarithm of the temperature around 0: few tracks move it little."""


@dataclass(frozen=True)
class Heard:
    """What a model makes of a track."""

    logs: list[float]
    """Mean over its segments of the log-probability of each genre."""
    votes: list[int]
    """Segments that name each genre first."""
    distance: float
    """From what it was trained on (see `novelty`)."""

    @property
    def segments(self) -> int:
        """How many segments it has."""
        return sum(self.votes)


@dataclass(frozen=True)
class Calibration:
    """What turns `Heard` into a proposal."""

    temperature: float = 1.0
    distances: list[float] = field(default_factory=list)
    """Of held-out tracks from what was trained on, in rising order."""
    scores: list[float] = field(default_factory=list)
    """One less the probability of the truth, of held-out tracks in rising order."""

    def probabilities(self, heard: Heard) -> list[float]:
        """The probability of each genre for a track."""
        return [float(share) for share in scaled([heard.logs], self.temperature)[0]]

    def strangeness(self, heard: Heard) -> float:
        """The share of held-out tracks that are nearer to the known genres; see `Proposal.none_of_these`."""
        if not self.distances:
            return 0.0
        return bisect.bisect_left(self.distances, heard.distance) / len(self.distances)

    def likely(self, probabilities: Sequence[float], level: float) -> int:
        """How many of the most likely genres hold the truth at this level (0 to 1); one at least."""
        if not self.scores:
            return len(probabilities)
        place = math.ceil((len(self.scores) + 1) * level)
        limit = self.scores[place - 1] if place <= len(self.scores) else 1.0
        return max(1, sum(1 - share <= limit + 1e-12 for share in probabilities))


def calibrate(heard: Sequence[Heard], truth: Sequence[int]) -> Calibration:
    """Learn from tracks that the model was not trained on."""
    if not heard:
        return Calibration()
    temperature = best_temperature([one.logs for one in heard], truth)
    shares = scaled([one.logs for one in heard], temperature)
    scores = sorted(float(1 - row[label]) for row, label in zip(shares, truth, strict=True))
    return Calibration(temperature, sorted(one.distance for one in heard), scores)


def scaled(logs: Sequence[Sequence[float]], temperature: float) -> Floats:
    """Probabilities (tracks, genres) of log-probabilities at a temperature."""
    scores = np.asarray(logs, np.float64) / temperature
    scores -= scores.max(axis=1, keepdims=True)
    shares = np.exp(scores)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def best_temperature(logs: Sequence[Sequence[float]], truth: Sequence[int]) -> float:
    """The temperature with the least loss on held-out tracks, drawn towards 1 where they are few."""
    rows, labels = np.arange(len(truth)), np.asarray(truth)

    def loss(temperature: float) -> float:
        of_truth = scaled(logs, temperature)[rows, labels]
        prior = 0.5 * (math.log(temperature) / _PRIOR_DEVIATION) ** 2
        return float(-np.log(np.maximum(of_truth, 1e-12)).sum()) + prior

    return float(min(_TEMPERATURES.tolist(), key=loss))


def calibration_curve(shares: Sequence[float], right: Sequence[bool]) -> dict[str, Any]:
    """How often proposals of a probability are right.

    `bins` of equal width have `from`, `to`, `tracks`, `probability` (mean) and `accuracy`; `ece` is the
    expected calibration error (Naeini and others, 2015) over them, `ece_interval` its 95 % bootstrap interval
    and `ece_perfect` what probabilities that are right exactly as often as they say would show in the mean
    with so few tracks (the control; the error is biased upwards: Roelofs and others, 2022). `sure` are those
    from 0.9 on.
    """
    probability, hits = np.asarray(shares, np.float64), np.asarray(right, np.float64)
    places = np.minimum((probability * BINS).astype(int), BINS - 1)
    bins = []
    for place in np.unique(places).tolist():
        inside = places == place
        bins.append(
            {
                "from": place / BINS,
                "to": (place + 1) / BINS,
                "tracks": int(inside.sum()),
                "probability": float(probability[inside].mean()),
                "accuracy": float(hits[inside].mean()),
            }
        )
    draw = np.random.default_rng(0)
    again = draw.integers(0, len(hits), (_DRAWS, len(hits)))
    boot = [_calibration_error(probability[some], hits[some], places[some]) for some in again]
    ideal = draw.random((_DRAWS, len(hits))) < probability
    low, high = np.quantile(boot, [0.025, 0.975])
    sure = probability >= SURE
    return {
        "ece": _calibration_error(probability, hits, places),
        "ece_interval": [float(low), float(high)],
        "ece_perfect": float(np.mean([_calibration_error(probability, one, places) for one in ideal])),
        "bins": bins,
        "sure": {
            "from": SURE,
            "tracks": int(sure.sum()),
            "accuracy": float(hits[sure].mean()) if sure.any() else None,
        },
    }


def _calibration_error(probability: Floats, hits: Any, places: Any) -> float:
    excess = np.bincount(places, probability - hits, minlength=BINS)
    return float(np.abs(excess).sum() / len(probability))
