"""From genre folders to a version, its report, predictions and proposals, with real processes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from assistant.classify.export import export_features
from assistant.classify.predict import Predictor, predict, propose
from assistant.classify.report import Report, confusion_matrix, figures_per_genre, wilson_interval
from assistant.classify.store import WEIGHTS_NAME, current_version, new_version, version_folder, versions
from assistant.classify.training import train_classifier
from assistant.errors import CallError, FileError, MusicHelperError
from assistant.library.library import Library, create_library
from tests.classify.labelled_sounds import RATE, SECONDS, add, settings, sound

TRACKS = 5

Trained = tuple[Library, Report, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    library = create_library(tmp_path_factory.mktemp("music"), settings(epochs=6, learning_rate=1e-3))
    for genre in ("jazz", "pop", "rock"):
        for number in range(TRACKS):
            add(library, f"{genre}/{number}.wav", sound(genre, number))
    add(library, "jazz/silent.wav", np.zeros(round(SECONDS * RATE), np.float32))
    add(library, "jazz/again.wav", sound("jazz", 0))
    add(library, "rock/both.wav", sound("blues", 1))
    add(library, "pop/both.wav", sound("blues", 1))
    add(library, "metal/only.wav", sound("metal", 1))
    (library.root / "pop/broken.wav").write_bytes(b"RIFF" + bytes(100))
    broken = library.ledger.add_track(Path("pop/broken.wav"), "broken", 104, 1)
    library.ledger.update_track(broken.id, state="ready", wav=broken.path)
    events: list[dict[str, Any]] = []
    return library, train_classifier(library, events.append, model="cnn", leaky=False), events


def test_the_report(trained: Trained) -> None:
    library, report, events = trained
    assert report.genres == ["jazz", "pop", "rock"]
    assert report.split == "track"
    assert report.tracks == {"train": 9, "validation": 3, "test": 3}
    assert report.chance == pytest.approx(1 / 3)
    assert report.majority == pytest.approx(1 / 3)
    assert report.accuracy == 1.0, "kinds of sound so far apart are told apart"
    assert report.accuracy_interval[0] < 0.5, "three tracks prove little"
    assert report.confusion == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert report.per_genre["jazz"] == {"precision": 1.0, "recall": 1.0, "support": 1}
    assert report.genres_left_out == ["metal"]
    left_out = {row["path"]: row["reason"] for row in report.left_out}
    assert set(left_out) == {
        "jazz/silent.wav", "jazz/again.wav", "rock/both.wav", "pop/both.wav", "pop/broken.wav"
    }  # fmt: skip
    assert "silent" in left_out["jazz/silent.wav"]
    assert "jazz/0.wav" in left_out["jazz/again.wav"]
    assert current_version(library) == report
    assert json.loads(json.dumps(report.as_dict()))["version"] == report.version
    assert events[0]["event"] == "features"
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == list(range(1, report.epochs + 1))
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert set(epochs[0]) == {
        "event", "epoch", "epochs", "loss", "accuracy", "valid_loss", "valid_accuracy"
    }  # fmt: skip


def test_the_version_is_whole_and_small(trained: Trained) -> None:
    library, report, _events = trained
    folder = version_folder(library, report.version)
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "model.json", "report.json"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1 << 20
    assert {path.name for path in library.paths.classifier.iterdir()} == {"features", report.version}


def test_predictions_and_proposals(trained: Trained, tmp_path: Path) -> None:
    library, report, _events = trained
    outside = tmp_path / "new.flac"
    soundfile.write(outside, sound("pop", 99), RATE)
    garbage = tmp_path / "garbage.mp3"
    garbage.write_bytes(b"nothing" * 50)
    weights = version_folder(library, report.version) / WEIGHTS_NAME
    kept = weights.read_bytes()
    new = [add(library, "unknow/a.wav", sound("jazz", 50)), add(library, "b.wav", sound("rock", 51))]
    add(library, "unknow/silent.wav", np.zeros(round(SECONDS * RATE), np.float32))

    with Predictor(library) as predictor:
        weights.write_bytes(kept[:1000])
        try:
            with pytest.raises(MusicHelperError, match="cannot be read"):
                predictor.predict([(library.root / "rock/1.wav", None)])
        finally:
            weights.write_bytes(kept)

        events: list[dict[str, Any]] = []
        files = [library.root / "rock/1.wav", garbage, outside]
        first, second = predict(library, files, events.append, predictor=predictor)
        assert (first.path, first.genre) == (library.root / "rock/1.wav", "rock")
        assert (second.path, second.genre, second.segments) == (outside, "pop", 2)
        assert sum(probability for _genre, probability in second.top) == pytest.approx(1, abs=1e-5)
        assert second.top[0] == (second.genre, second.probability)
        assert [event["path"] for event in events if event["event"] == "failed"] == [str(garbage)]
        with pytest.raises(FileError):
            predict(library, [garbage], predictor=predictor)

        assert propose(library, predictor=predictor) == 2
        proposals = library.ledger.proposals()
        assert {number: p.genre for number, p in proposals.items()} == {new[0]: "jazz", new[1]: "rock"}
        assert proposals[new[0]].version == report.version
        assert propose(library, predictor=predictor) == 0, "what has a proposal is not heard again"


def test_features_go_out_as_json(trained: Trained, tmp_path: Path) -> None:
    library, report, _events = trained
    count = export_features(library, tmp_path / "music_data.json")
    data = json.loads((tmp_path / "music_data.json").read_text())
    assert count == len(data["mfcc"]) == len(data["labels"]) > 0
    assert np.asarray(data["mfcc"]).shape == (count, 130, 13)
    assert data["mapping"] == sorted([*report.genres, "metal"]), "also what is too little to train on"


def test_too_few_tracks(library: Library) -> None:
    with pytest.raises(MusicHelperError, match="too few"):
        train_classifier(library)
    for number in range(4):
        add(library, f"jazz/{number}.wav", sound("jazz", number))
    add(library, "rock/0.wav", sound("rock", 0))
    with pytest.raises(MusicHelperError, match="too few") as caught:
        train_classifier(library)
    assert "jazz 4, rock 1" in caught.value.hint
    assert not library.paths.classifier.exists()


def test_settings_that_make_no_training(tmp_path: Path) -> None:
    for changes in ({"epochs": 0}, {"validation_share": 0.5, "test_share": 0.5}, {"segment_seconds": 0.1}):
        with pytest.raises(CallError):
            train_classifier(create_library(tmp_path, settings(**changes)))


def test_no_version_yet(library: Library) -> None:
    assert current_version(library) is None
    assert versions(library) == []
    with pytest.raises(MusicHelperError, match="no trained classifier"):
        predict(library, [library.root / "a.wav"])
    with pytest.raises(MusicHelperError, match="no trained classifier"):
        propose(library)


def test_stopping_leaves_no_half_version(library: Library) -> None:
    for genre in ("jazz", "rock"):
        for number in range(3):
            add(library, f"{genre}/{number}.wav", sound(genre, number))

    class Stop(Exception):
        pass

    def stop(_event: dict[str, Any]) -> None:
        raise Stop

    with pytest.raises(Stop):
        train_classifier(library, stop, model="cnn")
    with pytest.raises(Stop), new_version(library) as (_version, folder):
        (folder / "x").write_bytes(b"1")
        raise Stop
    assert [path.name for path in library.paths.classifier.iterdir()] == ["features"]


def test_what_a_killed_training_left_is_cleared(library: Library) -> None:
    parent = library.paths.classifier
    dead = parent / ".musichelper-999999999-abcdef.tmp"
    dead.mkdir(parents=True)
    (dead / "train.f16").write_bytes(b"1")
    living = parent / f".musichelper-{os.getpid()}-abcdef.tmp"
    living.mkdir()
    with new_version(library) as (version, folder):
        (folder / "x").write_bytes(b"1")
        assert versions(library) == []
    assert {path.name for path in parent.iterdir()} == {version, living.name}


def test_figures() -> None:
    matrix = confusion_matrix([0, 0, 1, 1, 2], [0, 1, 1, 1, 1], 3)
    assert matrix == [[1, 1, 0], [0, 2, 0], [0, 1, 0]]
    figures = figures_per_genre(["a", "b", "c"], matrix)
    assert figures["a"] == {"precision": 1.0, "recall": 0.5, "support": 2}
    assert figures["b"] == {"precision": 0.5, "recall": 1.0, "support": 2}
    assert figures["c"] == {"precision": 0.0, "recall": 0.0, "support": 1}
    low, high = wilson_interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)


def test_a_report_that_is_damaged_is_passed_over(trained: Trained, library: Library) -> None:
    _library, report, _events = trained
    from assistant.classify.report import write_report

    for name in ("20260101-000000", "20260102-000000"):
        (library.paths.classifier / name).mkdir(parents=True)
        write_report(library.paths.classifier / name, replace(report, version=name))
    (library.paths.classifier / "20260102-000000/report.json").write_text('{"version"')
    assert [found.version for found in versions(library)] == ["20260101-000000"]
