"""Training and cross-validation on labelled files, in the worker process; knows no library."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant.classify.calibration import Heard, best_temperature, scaled
from assistant.classify.models import KINDS, NETWORKS
from assistant.classify.process import base_request, source
from assistant.classify.split import Member, split_folds
from assistant.config import ClassifierSettings
from assistant.library.duplicates import leaders, same_sounds
from assistant.workers import Emit, Worker

VALIDATION_PARTS = 5
"""One in so many of the tracks outside a fold says when a network has learnt enough."""

FOLDS_IN_A_PROCESS = 10
"""Each network that was trained leaves some 30 MB behind, which only the end of the process gives back."""


@dataclass(frozen=True)
class Item:
    """A readable audio file with its genre; its name in splits and reports is that of the member."""

    path: Path
    content: str
    """What its features are kept under."""
    member: Member

    @property
    def name(self) -> str:
        """Its own name."""
        return self.member.name

    @property
    def genre(self) -> str:
        """Its genre."""
        return self.member.genre


@dataclass(frozen=True)
class Fitted:
    """What a training answered."""

    heard: list[Heard]
    segments: dict[str, int]
    epochs: int
    best_epoch: int
    valid_loss: float | None
    seconds: float


class Lab:
    """Trains models on items. `on_event` gets the worker's events; an exception in it ends the work."""

    def __init__(
        self,
        worker: Worker,
        settings: ClassifierSettings,
        cache: Path,
        on_event: Emit | None = None,
    ) -> None:
        self._worker, self._settings, self._on_event = worker, settings, on_event
        self._base = base_request(settings, cache)

    def take_features(
        self, items: Sequence[Item], models: Sequence[str]
    ) -> tuple[list[Item], list[dict[str, str]]]:
        """Take what these models need; gives the usable items, and the others by name with the reason."""
        left_out: list[dict[str, str]] = []
        usable = list(items)
        for kind in sorted({KINDS[model] for model in models}):
            sources = [source(item.path, item.content) for item in usable]
            request = {**self._base, "kind": kind, "sources": sources}
            results = self._worker.call("features", request, on_event=self._on_event)["results"]
            left_out += [
                {"path": item.name, "reason": result["title"]}
                for item, result in zip(usable, results, strict=True)
                if "title" in result
            ]
            usable = [item for item, result in zip(usable, results, strict=True) if "title" not in result]
        return usable, left_out

    def join_recordings(self, items: Sequence[Item]) -> list[Item]:
        """The same items, those that sound the same marked as one recording."""
        request = {**self._base, "sources": [source(item.path, None) for item in items]}
        texts = self._worker.call("fingerprints", request, on_event=self._on_event)["fingerprints"]
        first = leaders(same_sounds([base64.b64decode(text) for text in texts]))
        return [
            replace(item, member=replace(item.member, recording=items[first[place]].name))
            if place in first
            else item
            for place, item in enumerate(items)
        ]

    def fit(
        self,
        model: str,
        items: Sequence[Item],
        genres: Sequence[str],
        *,
        train: Sequence[int],
        validation: Sequence[int],
        predict: Sequence[int] = (),
        folder: Path | None = None,
    ) -> Fitted:
        """Train on some of the items, by place; with a folder the weights are written there."""
        answer = self._worker.call(
            "fit",
            {
                **self._request(model, items, genres),
                "train": list(train),
                "validation": list(validation),
                "predict": list(predict),
                "folder": str(folder) if folder else None,
            },
            on_event=self._on_event,
        )
        return Fitted(**{**answer, "heard": [Heard(**heard) for heard in answer["heard"]]})

    def fit_leaky(self, model: str, items: Sequence[Item], genres: Sequence[str]) -> float:
        """The share of segments that are right when parts of each track are trained on; means nothing."""
        request = self._request(model, items, genres)
        answer = self._worker.call("fit_leaky", request, on_event=self._on_event)
        return float(answer["accuracy"])

    def cross_validate(
        self, model: str, items: Sequence[Item], genres: Sequence[str], folds: Sequence[int]
    ) -> list[Heard]:
        """Each item as heard by a model that was trained without its fold.

        A network chooses its epoch by some of the other folds' tracks, drawn from each genre, which it does
        not learn from. Event: `{"event": "fold", "model", "fold", "folds"}`.
        """
        count = max(folds) + 1
        found: dict[int, Heard] = {}
        for fold in range(count):
            if self._on_event:
                self._on_event({"event": "fold", "model": model, "fold": fold + 1, "folds": count})
            tested = [place for place, own in enumerate(folds) if own == fold]
            rest = [place for place, own in enumerate(folds) if own != fold]
            validation: list[int] = []
            if model in NETWORKS:
                parts = split_folds(
                    [items[place].member for place in rest], VALIDATION_PARTS, self._settings.seed
                )
                validation = [place for place, part in zip(rest, parts, strict=True) if part == 0]
            train = [place for place in rest if place not in set(validation)] or rest
            fitted = self.fit(model, items, genres, train=train, validation=validation, predict=tested)
            found.update(zip(tested, fitted.heard, strict=True))
            if model in NETWORKS and (fold + 1) % FOLDS_IN_A_PROCESS == 0:
                self._worker.end_process()
        return [found[place] for place in range(len(items))]

    def _request(self, model: str, items: Sequence[Item], genres: Sequence[str]) -> dict[str, Any]:
        settings = self._settings
        return {
            **self._base,
            "model": model,
            "classes": len(genres),
            "seed": settings.seed,
            "schedule": {
                "epochs": settings.epochs,
                "batch_size": settings.batch_size,
                "learning_rate": settings.learning_rate,
                "seed": settings.seed,
            },
            "tracks": [
                {**source(item.path, item.content), "label": genres.index(item.genre)} for item in items
            ],
        }


def cross_fitted(heard: Sequence[Heard], truth: Sequence[int], folds: Sequence[int]) -> list[list[float]]:
    """Probabilities of each track at the temperature that the tracks of the other folds ask for."""
    found: list[list[float]] = [[] for _one in heard]
    for fold in set(folds):
        others = [place for place, own in enumerate(folds) if own != fold]
        temperature = best_temperature([heard[p].logs for p in others], [truth[p] for p in others])
        for place, own in enumerate(folds):
            if own == fold:
                found[place] = [float(share) for share in scaled([heard[place].logs], temperature)[0]]
    return found
