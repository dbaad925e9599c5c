"""Trained versions on disk, one folder each, whole or absent.

classifier/<version>/model.safetensors   weights and standardisation
classifier/<version>/model.json          the genres in the network's order, and how features are made
classifier/<version>/report.json         what it is worth
classifier/current                       the version in use, where it is not the newest
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.classify.calibration import Calibration
from assistant.classify.models import KINDS
from assistant.classify.report import REPORT_NAME, Report, read_report, write_report
from assistant.errors import CallError, FileError
from assistant.files import (
    is_temporary,
    sync,
    whole_file,
    whole_folder,
    write_json,
)
from assistant.i18n import _
from assistant.library.library import Library

if TYPE_CHECKING:
    from assistant.classify.features import FeatureSpec

FEATURES_FOLDER = "features"
WEIGHTS_NAME = "model.safetensors"
DESCRIPTION_NAME = "model.json"
CURRENT_NAME = "current"
FOREIGN = (".h5", ".hdf5", ".keras", ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".npy", ".npz")


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
    """The version in use: the one that was chosen, else the newest."""
    found = versions(library)
    chosen = _chosen(library)
    return next((report for report in found if report.version == chosen), found[-1] if found else None)


def use_version(library: Library, version: str) -> Report:
    """Use this version from now on, until another one is trained. Raises `CallError` for an unknown one."""
    found = {report.version: report for report in versions(library)}
    if version not in found:
        raise CallError(
            _("There is no classifier version {version}.").format(version=version),
            _("`musichelper classifier list` shows those that are there."),
        )
    path = library.paths.classifier / CURRENT_NAME
    with whole_file(path) as temporary:
        temporary.write_text(version + "\n", "utf-8")
    return found[version]


def adopt_version(library: Library, folder: Path) -> Report:
    """Take in a version that `export_version` wrote, and use it. Raises `FileError` for anything else.

    Weights are read as plain arrays; files that may hold programs are not opened.
    """
    if folder.suffix.lower() in FOREIGN or not folder.is_dir():
        raise FileError(
            folder,
            _("{path} is no classifier of musichelper.").format(path=folder),
            _(
                "Model files of other programs are not opened, as loading them can run foreign code. "
                "Name a folder that `musichelper classifier export` made."
            ),
        )
    report = read_report(folder)
    read_description(folder)
    with new_version(library) as (version, temporary):
        for name in (WEIGHTS_NAME, DESCRIPTION_NAME):
            shutil.copyfile(folder / name, temporary / name)
        report = replace(report, version=version)
        write_report(temporary, report)
    return report


def export_version(library: Library, version: str, target: Path) -> None:
    """Copy a version into a new folder. Raises `FileError` where it cannot be made."""
    try:
        shutil.copytree(version_folder(library, version), target)
    except OSError as error:
        raise FileError(
            target,
            _("The classifier cannot be written to {path}: {reason}.").format(
                path=target, reason=error.strerror or error
            ),
            _("Name a folder that does not exist yet."),
        ) from error


def is_chosen(library: Library) -> bool:
    """Whether the person chose the version in use."""
    return bool(_chosen(library))


def _chosen(library: Library) -> str:
    try:
        return (library.paths.classifier / CURRENT_NAME).read_text("utf-8").strip()
    except OSError:
        return ""


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
    """Give a new version's name and a temporary folder to fill; on leaving it is there and in use.

    After an exception nothing is left.
    """
    parent = library.paths.classifier
    version = _free_name(parent)
    with whole_folder(parent / version) as temporary:
        yield version, temporary
    (parent / CURRENT_NAME).unlink(missing_ok=True)
    sync(parent)


def _free_name(parent: Path) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name, number = stamp, 1
    while (parent / name).exists():
        number += 1
        name = f"{stamp}-{number}"
    return name
