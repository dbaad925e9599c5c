"""What a trained classifier is worth, measured on tracks it has never heard."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from assistant.errors import FileError
from assistant.files import write_json
from assistant.i18n import _

REPORT_NAME = "report.json"


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
    split: str
    """`track`: no track has segments in two parts."""
    grouping: dict[str, str]
    """By genre, what stays together in one part: `artist`, `album` or only the `track`."""
    tracks: dict[str, int]
    """Number in `train`, `validation` and `test`."""
    segments: dict[str, int]
    per_genre: dict[str, dict[str, float]]
    """`precision`, `recall` and `support` (number of test tracks) of each genre."""
    confusion: list[list[int]]
    """Test tracks: a row for each true genre, a column for each named one, both as in `genres`."""
    tested: list[dict[str, Any]]
    """Each test track: `path`, `genre`, `predicted`, `probability`."""
    left_out: list[dict[str, str]]
    """Tracks that were not used: `path` and `reason`."""
    genres_left_out: list[str]
    """Genre folders with too few tracks."""
    epochs: int
    best_epoch: int
    """The epoch whose weights were kept: the least validation loss."""
    valid_loss: float
    seed: int
    seconds: dict[str, float]
    """What took how long: `features`, `training`."""
    made: float
    """Unix time."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def write_report(folder: Path, report: Report) -> None:
    """Write the report into a version's folder."""
    write_json(folder / REPORT_NAME, report.as_dict())


def read_report(folder: Path) -> Report:
    """Read the report of a version. Raises `FileError` where it is not readable."""
    path = folder / REPORT_NAME
    try:
        values = json.loads(path.read_text("utf-8"))
        values = {field.name: values[field.name] for field in fields(Report)}
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
