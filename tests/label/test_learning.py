"""What the person decides is counted, and learned from."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from assistant.classify.calibration import Heard
from assistant.classify.report import HeldOut, Report, figures, write_report
from assistant.classify.review import confident_contradictions, suspicious_labels
from assistant.classify.store import new_version, use_version
from assistant.label import learning
from assistant.label.decisions import Labeller
from assistant.label.learning import learn, learning_is_due, live_accuracy
from assistant.library.ledger import Proposal
from assistant.library.library import Library, create_library
from tests.classify.labelled_sounds import add, settings, sound


def test_the_live_accuracy_counts_what_is_in_force(library: Library) -> None:
    labeller = Labeller(library, rewrite=lambda _library, _track: None)
    numbers = [add(library, f"{n}.wav", sound("jazz", n)) for n in range(4)]
    for number in numbers[:3]:
        library.ledger.set_proposals([Proposal(number, "v", "jazz", 0.9, [("jazz", 0.9)], 0.0)])
    assert live_accuracy(library).share is None
    labeller.label(numbers[0], "jazz")
    labeller.label(numbers[1], "rock")
    labeller.label(numbers[3], "rock")  # nothing was proposed
    labeller.label(numbers[2], "jazz", decider="demo")
    live = live_accuracy(library)
    assert (live.kept, live.decided, live.share) == (1, 2, 0.5)
    labeller.undo()
    labeller.undo()
    labeller.undo()
    assert live_accuracy(library).share == 1.0


def a_version(library: Library, model: str) -> str:
    heard = Heard([0.0, -9.0], [1, 0], 1.0)
    tested = [HeldOut("jazz/1.wav", 0, heard, [0.9, 0.1])]
    with new_version(library) as (version, folder):
        report = Report(
            **figures(["jazz", "rock"], tested, 0), version=version, model=model, leaky_accuracy=None,
            split="track", grouping={}, tracks={"train": 5, "validation": 0, "test": 1}, segments={},
            cross_validation={}, left_out=[], genres_left_out=[], epochs=0, best_epoch=0, valid_loss=None,
            seed=0, seconds={}, made=time.time(),
        )  # fmt: skip
        write_report(folder, report)
    return version


def test_the_head_learns_after_enough_decisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = create_library(tmp_path / "music", settings(retrain_after=2))
    waiting = [add(library, f"{n}.wav", sound("jazz", n)) for n in range(3)]
    trained: list[str] = []

    def train(library: Library, *, model: str, leaky: bool) -> None:
        trained.append(a_version(library, model))

    monkeypatch.setattr(learning, "train_classifier", train)
    monkeypatch.setattr(learning, "propose", lambda _library: 1)
    assert not learning_is_due(library), "there is nothing to go on from"
    first = a_version(library, "musicnn")
    labeller = Labeller(library, rewrite=lambda _library, _track: None)
    labeller.label(waiting[0], "jazz")
    assert learn(library) == 0
    labeller.label(waiting[1], "jazz")
    assert learning_is_due(library)
    use_version(library, first)
    assert not learning_is_due(library), "the person chose that version"
    (library.paths.classifier / "current").unlink()
    assert learn(library) == 1
    assert len(trained) == 1
    assert not learning_is_due(library), "it has just learned"
    labeller.label(waiting[2], "jazz")
    labeller.label(waiting[2], "rock")
    a_version(library, "cnn")
    assert not learning_is_due(library), "a network takes too long for that"


def test_suspicious_labels_are_found(tmp_path: Path) -> None:
    library = create_library(tmp_path / "music", settings(folds=3))
    for genre in ("jazz", "rock"):
        for number in range(5):
            add(library, f"{genre}/{number}.wav", sound(genre, number))
    add(library, "rock/misplaced.wav", sound("jazz", 9))
    found = suspicious_labels(library)
    assert [one.path for one in found] == ["rock/misplaced.wav"]
    assert (found[0].genre, found[0].suggested) == ("rock", "jazz")
    assert found[0].probability < 0.5 < found[0].suggested_probability


@pytest.mark.parametrize("wrong", [0, 3, 7])
def test_a_contradiction_is_one_with_confidence(wrong: int) -> None:
    truth = [0] * 4 + [1] * 4
    shares = np.where(np.arange(2) == np.array(truth)[:, None], 0.8, 0.2)
    assert confident_contradictions(shares.tolist(), truth) == []
    shares[wrong] = shares[wrong, ::-1]
    assert confident_contradictions(shares.tolist(), truth) == [(wrong, 1 - truth[wrong])]
    shares[wrong] = 0.5, 0.5
    assert confident_contradictions(shares.tolist(), truth) == []
