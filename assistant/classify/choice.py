"""The best of some models by cross-validation, calibrated, and measured on tracks that it never heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.classify.calibration import Calibration, Heard, calibrate
from assistant.classify.lab import Fitted, Item, Lab
from assistant.classify.models import NETWORKS
from assistant.classify.report import HeldOut, wilson_interval
from assistant.classify.split import split_folds
from assistant.config import ClassifierSettings


@dataclass(frozen=True)
class Choice:
    """A model that was trained on the training part."""

    model: str
    fitted: Fitted
    calibration: Calibration
    tested: list[HeldOut]
    """The test part."""
    cross_validation: dict[str, dict[str, Any]]
    """By model: `accuracy`, `interval`, `tracks`, `folds`."""


def choose(
    lab: Lab,
    models: Sequence[str],
    items: Sequence[Item],
    genres: Sequence[str],
    parts: Mapping[str, Sequence[int]],
    settings: ClassifierSettings,
    folder: Path | None = None,
) -> Choice:
    """Compare models on the parts `train` and `validation`, train the best and hear the part `test`.

    A single network is not cross-validated, as that takes so many more trainings; it is calibrated on the
    validation part.
    """
    known = [items[place] for place in sorted([*parts["train"], *parts["validation"]])]
    truth = [genres.index(item.genre) for item in known]
    folds = split_folds([item.member for item in known], settings.folds, settings.seed)
    compared = models if len(models) > 1 or models[0] not in NETWORKS else []
    held_out = {model: lab.cross_validate(model, known, genres, folds) for model in compared}
    figures = {model: _figures(heard, truth, max(folds) + 1) for model, heard in held_out.items()}
    model = max(models, key=lambda name: figures[name]["accuracy"]) if compared else models[0]
    test, validation = list(parts["test"]), list(parts["validation"])
    fitted = lab.fit(
        model,
        items,
        genres,
        train=parts["train"],
        validation=validation,
        predict=test + validation,
        folder=folder,
    )
    labels = [genres.index(item.genre) for item in items]
    if compared:
        calibration = calibrate(held_out[model], truth)
    else:
        calibration = calibrate(fitted.heard[len(test) :], [labels[place] for place in validation])
    tested = [
        HeldOut(items[place].name, labels[place], heard, calibration.probabilities(heard))
        for place, heard in zip(test, fitted.heard, strict=False)
    ]
    return Choice(model, fitted, calibration, tested, figures)


def _figures(heard: Sequence[Heard], truth: Sequence[int], folds: int) -> dict[str, Any]:
    right = sum(
        max(range(len(one.logs)), key=one.logs.__getitem__) == label
        for one, label in zip(heard, truth, strict=True)
    )
    return {
        "accuracy": right / len(truth),
        "interval": list(wilson_interval(right, len(truth))),
        "tracks": len(truth),
        "folds": folds,
    }
