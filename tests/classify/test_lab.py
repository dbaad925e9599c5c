"""Cross-validation: which tracks a network learns from, chooses its epoch by, and is tested on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from assistant.classify.lab import FOLDS_IN_A_PROCESS, Item, Lab
from assistant.classify.split import Member, split_folds
from assistant.config import ClassifierSettings
from assistant.workers import Message, Worker

GENRES = ("jazz", "metal", "pop")
TRACKS = 7


class Requested(Worker):
    """Trains nothing, and keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__("assistant.classify.worker")
        self.requests: list[Message] = []
        self.ended: list[int] = []

    def call(self, method: str, request: Message, **_options: Any) -> Message:
        self.requests.append(request)
        heard = {"logs": [0.0] * len(GENRES), "votes": [0] * len(GENRES), "distance": 0.0}
        return {
            "heard": [heard for _track in request["predict"]],
            "segments": {}, "epochs": 0, "best_epoch": 0, "valid_loss": None, "seconds": 0.0,
        }  # fmt: skip

    def end_process(self) -> None:
        self.ended.append(len(self.requests))
        super().end_process()


def cross_validated(model: str, tmp_path: Path) -> tuple[list[Item], Requested]:
    items = [
        Item(tmp_path / f"{genre}-{n}.wav", f"{genre}{n}", Member(f"{genre}/{n}", genre))
        for genre in GENRES
        for n in range(TRACKS)
    ]
    worker = Requested()
    folds = split_folds([item.member for item in items], 0, 0)
    heard = Lab(worker, ClassifierSettings(), tmp_path).cross_validate(model, items, GENRES, folds)
    assert len(heard) == len(items)
    return items, worker


@pytest.mark.parametrize("model", ["cnn", "cnn-mel"])
def test_an_epoch_is_chosen_by_tracks_of_each_genre(model: str, tmp_path: Path) -> None:
    items, worker = cross_validated(model, tmp_path)
    for request in worker.requests:
        parts = [set(request[part]) for part in ("train", "validation", "predict")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == len(items)
        assert set(Counter(items[place].genre for place in parts[1])) == set(GENRES)
    assert worker.ended == [FOLDS_IN_A_PROCESS, 2 * FOLDS_IN_A_PROCESS], "memory is given back"


def test_a_head_learns_from_all_other_tracks(tmp_path: Path) -> None:
    items, worker = cross_validated("musicnn", tmp_path)
    assert all(len(request["train"]) == len(items) - 1 for request in worker.requests)
    assert not worker.ended
