"""Trained versions on disk, one folder each, whole or absent.

classifier/<version>/model.safetensors   weights and standardisation
classifier/<version>/model.json          the genres in the network's order, and how features are made
classifier/<version>/report.json         what it is worth
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.classify.calibration import Calibration
from assistant.classify.models import KINDS
from assistant.classify.report import REPORT_NAME, Report, read_report
from assistant.errors import FileError
from assistant.files import is_temporary, maker_of_temporary, sync, temporary_beside, write_json
from assistant.i18n import _
from assistant.library.library import Library

if TYPE_CHECKING:
    from assistant.classify.features import FeatureSpec

FEATURES_FOLDER = "features"
WEIGHTS_NAME = "model.safetensors"
DESCRIPTION_NAME = "model.json"


@dataclass(frozen=True)
class Description:
    """What must be known to use a version's weights."""

    model: str
    genres: list[str]
    segment_seconds: float
    most_segments: int
    features_version: int
    calibration: Calibration

    @property
    def feature_request(self) -> dict[str, Any]:
        """What a request for its features holds."""
        return {
            "kind": KINDS[self.model],
            "segment_seconds": self.segment_seconds,
            "most_segments": self.most_segments,
        }

    @property
    def feature_spec(self) -> FeatureSpec:
        """Its features."""
        from assistant.classify.features import FeatureSpec

        return FeatureSpec(**self.feature_request)


def features_folder(library: Library) -> Path:
    """Where features are cached."""
    return library.paths.classifier / FEATURES_FOLDER


def version_folder(library: Library, version: str) -> Path:
    """The folder of a version."""
    return library.paths.classifier / version


def versions(library: Library) -> list[Report]:
    """The reports of all readable versions, oldest first."""
    folder = library.paths.classifier
    names = sorted(entry.name for entry in os.scandir(folder)) if folder.is_dir() else []
    reports = []
    for name in names:
        if is_temporary(name) or not (folder / name / REPORT_NAME).is_file():
            continue
        try:
            reports.append(read_report(folder / name))
        except FileError:
            continue  # written by another program or by hand; training makes a new one beside it
    return reports


def current_version(library: Library) -> Report | None:
    """The version in use: the newest."""
    found = versions(library)
    return found[-1] if found else None


def write_description(folder: Path, description: Description) -> None:
    """Write what belongs to the weights."""
    write_json(folder / DESCRIPTION_NAME, asdict(description))


def read_description(folder: Path) -> Description:
    """Read what belongs to the weights. Raises `FileError`."""
    path = folder / DESCRIPTION_NAME
    try:
        values = json.loads(path.read_text("utf-8"))
        calibration = Calibration(**values.pop("calibration"))
        found = Description(**values, calibration=calibration)
        if found.model not in KINDS:
            raise ValueError(found.model)
        return found
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileError(
            path,
            _("The classifier {path} cannot be read: {reason}.").format(path=path, reason=error),
            _("Train the classifier again."),
        ) from error


@contextmanager
def new_version(library: Library) -> Iterator[tuple[str, Path]]:
    """Give a new version's name and a temporary folder to fill; on leaving it takes its place.

    After an exception nothing is left.
    """
    parent = library.paths.classifier
    parent.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(parent)
    version = _free_name(parent)
    temporary = temporary_beside(parent / version)
    temporary.mkdir()
    try:
        yield version, temporary
        for path in temporary.iterdir():
            sync(path)
        sync(temporary)
        temporary.rename(parent / version)
        sync(parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _free_name(parent: Path) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name, number = stamp, 1
    while (parent / name).exists():
        number += 1
        name = f"{stamp}-{number}"
    return name


def _clear_abandoned(parent: Path) -> None:
    for path in parent.iterdir():
        maker = maker_of_temporary(path.name)
        if maker is not None and not Path(f"/proc/{maker}").exists():
            shutil.rmtree(path, ignore_errors=True)
