"""What a trained classifier is worth, measured on tracks it has never heard."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from assistant.classify.calibration import Heard, calibration_curve
from assistant.errors import FileError
from assistant.files import write_json
from assistant.i18n import _

REPORT_NAME = "report.json"
TOP = 3


@dataclass(frozen=True)
class Report:
    """The figures of one version. Shares are from 0 to 1, times in seconds."""

    version: str
    model: str
    genres: list[str]
    accuracy: float
    """Share of the test tracks whose genre is right; probabilities are averaged over a track's segments."""
    accuracy_interval: tuple[float, float]
    """95 % interval of `accuracy` (Wilson)."""
    chance: float
    """One through the number of genres."""
    majority: float
    """Accuracy on the test tracks of always naming the genre with most training tracks."""
    segment_accuracy: float
    """The same by segments of the test tracks; a smaller claim than by track."""
    leaky_accuracy: float | None
    """By segments split at random, so that parts of a track lie on both sides: what others report.

    Says nothing of new music; None where it was not measured."""
    top3_accuracy: float
    """Share of the test tracks whose genre is among the three likeliest."""
    split: str
    """`track`: no track has segments in two parts; `lists`: the same, by given lists; `folds`: each track is
    tested by a model that was trained without its fold."""
    grouping: dict[str, str]
    """By genre, what stays together in one part: `artist`, `album` or only the `track`; or by `lists`."""
    tracks: dict[str, int]
    """Number in `train`, `validation` and `test`."""
    segments: dict[str, int]
    per_genre: dict[str, dict[str, float]]
    """`precision`, `recall` and `support` (number of test tracks) of each genre."""
    confusion: list[list[int]]
    """Test tracks: a row for each true genre, a column for each named one, both as in `genres`."""
    calibration: dict[str, Any]
    """How often probabilities are right on the test tracks (see `calibration_curve`); the `temperature`."""
    cross_validation: dict[str, dict[str, Any]]
    """By model that was tried: `accuracy`, `interval`, `tracks`, `folds`. Without the test tracks."""
    tested: list[dict[str, Any]]
    """Each test track: `path`, `genre`, `predicted`, `probability`, `agreement`."""
    left_out: list[dict[str, str]]
    """Tracks that were not used: `path` and `reason`."""
    genres_left_out: list[str]
    """Genre folders with too few tracks."""
    epochs: int
    best_epoch: int
    """The epoch whose weights were kept: the least validation loss."""
    valid_loss: float | None
    """None where no network was trained."""
    seed: int
    seconds: dict[str, float]
    """What took how long: `features`, `training`."""
    made: float
    """Unix time."""

    def with_left_out(self, tracks: list[dict[str, str]], genres: list[str]) -> Report:
        """The same with the tracks and genres that were not used."""
        return replace(self, left_out=tracks, genres_left_out=genres)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class HeldOut:
    """A test track: what it is, and what a model without it says."""

    name: str
    label: int
    heard: Heard
    probabilities: list[float]

    @property
    def named(self) -> int:
        """The likeliest genre."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


def figures(genres: Sequence[str], tested: Sequence[HeldOut], commonest: int) -> dict[str, Any]:
    """The fields of a report that come from test tracks; `commonest` is the largest genre of the training."""
    truth, named = [one.label for one in tested], [one.named for one in tested]
    hits = [a == b for a, b in zip(truth, named, strict=True)]
    matrix = confusion_matrix(truth, named, len(genres))
    segments = sum(one.heard.segments for one in tested)
    top = [sorted(one.probabilities, reverse=True)[:TOP][-1] for one in tested]
    return {
        "genres": list(genres),
        "accuracy": sum(hits) / len(tested),
        "accuracy_interval": wilson_interval(sum(hits), len(tested)),
        "chance": 1 / len(genres),
        "majority": truth.count(commonest) / len(tested),
        "segment_accuracy": sum(one.heard.votes[one.label] for one in tested) / segments,
        "top3_accuracy": sum(
            one.probabilities[one.label] >= least for one, least in zip(tested, top, strict=True)
        )
        / len(tested),
        "per_genre": figures_per_genre(genres, matrix),
        "confusion": matrix,
        "calibration": calibration_curve([max(one.probabilities) for one in tested], hits),
        "tested": [
            {
                "path": one.name,
                "genre": genres[one.label],
                "predicted": genres[one.named],
                "probability": one.probabilities[one.named],
                "agreement": one.heard.votes[one.named] / one.heard.segments,
            }
            for one in tested
        ],
    }


def write_report(folder: Path, report: Report) -> None:
    """Write the report into a version's folder."""
    write_json(folder / REPORT_NAME, report.as_dict())


def read_report(folder: Path) -> Report:
    """Read the report of a version. Raises `FileError` where it is not readable."""
    path = folder / REPORT_NAME
    try:
        values = json.loads(path.read_text("utf-8"))
        values = {field.name: values[field.name] for field in fields(Report)}
        values["calibration"]["ece_perfect"]  # absent in reports of old
        values["accuracy_interval"] = tuple(values["accuracy_interval"])
        return Report(**values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            path,
            _("The report {path} cannot be read: {reason}.").format(path=path, reason=error),
            _("Train the classifier again; this version is not used."),
        ) from error


def confusion_matrix(truth: Sequence[int], predicted: Sequence[int], classes: int) -> list[list[int]]:
    """Counts with a row for each true class and a column for each predicted one."""
    matrix = [[0] * classes for _class in range(classes)]
    for row, column in zip(truth, predicted, strict=True):
        matrix[row][column] += 1
    return matrix


def figures_per_genre(genres: Sequence[str], matrix: Sequence[Sequence[int]]) -> dict[str, dict[str, float]]:
    """Precision, recall and support of each genre; 0 where nothing was named or nothing was there."""
    figures = {}
    for index, genre in enumerate(genres):
        right = matrix[index][index]
        support = sum(matrix[index])
        named = sum(row[index] for row in matrix)
        figures[genre] = {
            "precision": right / named if named else 0.0,
            "recall": right / support if support else 0.0,
            "support": support,
        }
    return figures


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), which is honest also for few tracks."""
    if total == 0:
        return (0.0, 1.0)
    z = 1.96
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return (max(0.0, middle - half), min(1.0, middle + half))
