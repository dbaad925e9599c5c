"""Training on pretrained features: `musicnn`, its report, proposals and suspicious labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.classify import head, novelty
from assistant.classify.heard import BLOCKS, VALUES
from assistant.classify.predict import Predictor, propose
from assistant.classify.segments import Segments
from assistant.classify.store import current_version, read_description, version_folder
from assistant.classify.training import train_classifier
from assistant.library.library import Library
from tests.classify.labelled_sounds import TrainedHead, add, sound


def test_few_tracks_train_the_pretrained_network(trained_head: TrainedHead) -> None:
    library, report, events = trained_head
    assert report.model == "musicnn"
    assert report.accuracy == 1.0
    assert report.cross_validation["musicnn"]["tracks"] == 15, "the test tracks are not among them"
    assert report.cross_validation["musicnn"]["accuracy"] > 0.9
    assert report.leaky_accuracy is not None
    assert report.valid_loss is None
    assert set(report.calibration) == {
        "ece", "ece_interval", "ece_perfect", "bins", "sure", "temperature"
    }  # fmt: skip
    assert [event["fold"] for event in events if event["event"] == "fold"] == [1, 2, 3]
    assert current_version(library) == report
    calibration = read_description(version_folder(library, report.version)).calibration
    assert len(calibration.scores) == len(calibration.distances) == 15


def test_a_proposal_says_how_far_it_can_be_believed(trained_head: TrainedHead) -> None:
    library, _report, _events = trained_head
    known = add(library, "unknow/a.wav", sound("jazz", 50))
    clicks = np.zeros(88_200, np.float32)
    clicks[::4_410] = 0.9
    strange = add(library, "unknow/b.wav", clicks)
    with Predictor(library) as predictor:
        assert propose(library, predictor=predictor) == 2
    proposals = library.ledger.proposals()
    assert proposals[known].genre == "jazz"
    assert proposals[known].agreement == 1.0
    assert proposals[known].likely in (1, 2)
    strangeness = proposals[strange].strangeness
    assert strangeness is not None
    assert strangeness >= 0.9
    assert replace(proposals[strange], strangeness=0.96).none_of_these


def test_the_same_sound_is_taken_once(library: Library) -> None:
    from assistant.classify.training import collect

    first = add(library, "jazz/a.wav", sound("jazz", 1))
    again = add(library, "jazz/other encoding.wav", sound("jazz", 2))
    other = add(library, "rock/a.wav", sound("jazz", 3))
    library.ledger.set_fingerprint(again, b"", first)
    items, left_out = collect(library)
    assert [item.name for item in items] == ["jazz/a.wav", "rock/a.wav"]
    assert left_out[0]["path"] == "jazz/other encoding.wav"
    library.ledger.set_fingerprint(other, b"", first)
    items, left_out = collect(library)
    assert items == []
    assert all("two genres" in row["reason"] for row in left_out)


def test_folders_are_the_genres(library: Library) -> None:
    from assistant.classify.training import collect

    (library.root / "舞曲").mkdir()
    add(library, "舞曲/a.wav", sound("pop", 1))
    assert [item.genre for item in collect(library)[0]] == ["舞曲"]


def test_absent_weights_are_named(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from assistant.classify import models
    from assistant.errors import CallError, MusicHelperError

    monkeypatch.setattr(models, "weights_folder", lambda: None)
    with pytest.raises(MusicHelperError, match="musicnn are not installed"):
        train_classifier(library, model="musicnn")
    assert models.candidates("auto", {"jazz": 40, "rock": 40}) == ["cnn", "cnn-mel"]
    assert models.candidates("auto", {"jazz": 4, "rock": 4}) == ["cnn"]
    monkeypatch.setattr(models, "weights_folder", lambda: Path("/"))
    assert models.candidates("auto", {"jazz": 4, "rock": 4}) == ["musicnn"]
    with pytest.raises(CallError, match="no classifier model"):
        models.check_model("svm")


def test_a_new_direction_is_strange_where_a_far_known_one_is_not() -> None:
    order = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    tracks = order.normal(0, 1, (120, 30)).astype(np.float32)
    tracks[np.arange(120), labels] += 8
    found = novelty.fit(tracks, labels)
    again = novelty.restore(found.arrays())
    new = order.normal(0, 1, (40, 30)).astype(np.float32)
    new[:, 3] += 8
    strange = [again.distance(one) for one in new]
    known = [found.distance(one) for one in tracks]
    assert min(strange) > max(known)
    farther = tracks[:40] * np.float32(1.5)
    assert np.median([found.distance(one) for one in farther]) < min(strange), "farther out, not elsewhere"


def test_each_kind_of_features_votes() -> None:
    order = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    values = order.normal(0, 1, (60, VALUES)).astype(np.float32)
    values[:, BLOCKS["rhythm"]] += 2.0 * labels[:, None]
    segments = Segments(values, labels, np.repeat(np.arange(20), 3))
    alone = head.fit(segments, 2, blocks=[BLOCKS["rhythm"]])
    assert not alone.weights[: BLOCKS["rhythm"].start].any()
    pool = head.fit(segments, 2)
    parts = [head.fit(segments, 2, blocks=[block]) for block in BLOCKS.values()]
    mean = np.mean([part.weights for part in parts], axis=0) * len(parts) / len(BLOCKS)
    np.testing.assert_allclose(pool.weights, mean, atol=1e-6)
    assert (pool.hear(values)[0].argmax(axis=1) == labels).all()
