"""Calibration, folds, evaluation of a folder, and the picture of its confusions."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from assistant.classify.calibration import Heard, best_temperature, calibrate, calibration_curve, scaled
from assistant.classify.evaluate import evaluate_folder
from assistant.classify.picture import write_confusion
from assistant.classify.split import Member, split_folds
from assistant.config import ClassifierSettings
from assistant.errors import CallError, FileError
from tests.classify.labelled_sounds import RATE, sound


def heard(logs: list[float], distance: float = 1.0) -> Heard:
    votes = [0] * len(logs)
    votes[int(np.argmax(logs))] = 4
    return Heard(logs, votes, distance)


def test_the_temperature_undoes_what_was_done() -> None:
    order = np.random.default_rng(0)
    shares = order.dirichlet([1.0] * 4, 4_000)
    truth = [int(order.choice(4, p=row)) for row in shares]
    for factor in (0.4, 3.0):
        logs = (np.log(shares) * factor).tolist()
        assert best_temperature(logs, truth) == pytest.approx(factor, rel=0.1)
        after = scaled(logs, best_temperature(logs, truth))
        right = [int(row.argmax()) == label for row, label in zip(after, truth, strict=True)]
        assert calibration_curve(after.max(axis=1).tolist(), right)["ece"] < 0.03


def test_few_tracks_move_the_temperature_little() -> None:
    sure = [[0.0, -3.0]] * 3
    assert 0.3 < best_temperature(sure, [0, 0, 0]) < 1.0


def test_sets_hold_the_truth_as_often_as_promised() -> None:
    order = np.random.default_rng(1)
    shares = order.dirichlet([0.5] * 5, 2_000)
    truth = [int(order.choice(5, p=row)) for row in shares]
    tracks = [heard(np.log(np.maximum(row, 1e-9)).tolist()) for row in shares]
    calibration = calibrate(tracks[:1_000], truth[:1_000])
    covered = 0
    for track, label in zip(tracks[1_000:], truth[1_000:], strict=True):
        probabilities = calibration.probabilities(track)
        ranking = sorted(range(5), key=lambda genre: -probabilities[genre])
        likely = calibration.likely([probabilities[genre] for genre in ranking], 0.9)
        covered += label in ranking[:likely]
    assert covered / 1_000 == pytest.approx(0.9, abs=0.03)


def test_strangeness_is_a_share_of_known_music() -> None:
    calibration = calibrate([heard([0.0, -1.0], float(d)) for d in range(100)], [0] * 100)
    assert calibration.strangeness(heard([0.0, -1.0], 50.0)) == 0.5
    assert calibration.strangeness(heard([0.0, -1.0], 1e9)) == 1.0
    assert calibrate([], []).strangeness(heard([0.0, -1.0])) == 0.0


def test_the_curve() -> None:
    curve = calibration_curve([0.95, 0.95, 0.55, 0.55], [True, True, True, False])
    assert curve["ece"] == pytest.approx(0.05)
    low, high = curve["ece_interval"]
    assert low <= curve["ece"] <= high
    assert curve["sure"] == {"from": 0.9, "tracks": 2, "accuracy": 1.0}
    assert [found["tracks"] for found in curve["bins"]] == [2, 2]


def test_perfect_probabilities_seem_off_with_few_tracks() -> None:
    order = np.random.default_rng(3)
    errors, control = [], []
    for _draw in range(40):
        shares = order.uniform(0.3, 1.0, 50)
        curve = calibration_curve(shares.tolist(), (order.random(50) < shares).tolist())
        errors.append(curve["ece"])
        control.append(curve["ece_perfect"])
    assert np.mean(control) == pytest.approx(np.mean(errors), rel=0.15)
    many = order.uniform(0.3, 1.0, 5_000)
    assert calibration_curve(many.tolist(), (order.random(5_000) < many).tolist())["ece_perfect"] < 0.02


def test_folds_keep_artists_together_and_spread_genres() -> None:
    members = [
        Member(f"{genre}/{artist}{n}", genre, artist=f"{genre}{artist}")
        for genre in ("jazz", "rock")
        for artist in range(6)
        for n in range(2)
    ]
    folds = split_folds(members, 3, 0)
    assert folds == split_folds(members, 3, 0)
    for genre in ("jazz", "rock"):
        counts = [
            sum(f == fold for f, m in zip(folds, members, strict=True) if m.genre == genre)
            for fold in range(3)
        ]
        assert counts == [4, 4, 4]
    assert all(folds[place] == folds[place + 1] for place in range(0, len(folds), 2))
    alone = split_folds([Member(str(n), "jazz") for n in range(7)], 0, 0)
    assert sorted(alone) == list(range(7)), "leave one out"


def melody(lowest: float, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Fifteen seconds of changing tones: what can be told apart by its fingerprint."""
    order = np.random.default_rng([seed, int(lowest)])
    steps = np.repeat(lowest * 2 ** (order.integers(0, 24, (60, 4)) / 12), RATE // 4, axis=0)
    return np.asarray(0.1 * np.sin(2 * np.pi * np.cumsum(steps, axis=0) / RATE).sum(axis=1), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("genres")
    for genre in ("jazz", "rock"):
        (root / genre).mkdir()
        for number in range(4):
            soundfile.write(root / genre / f"{genre}.{number:05}.flac", sound(genre, number), RATE)
    return root


def test_leave_one_out(folder: Path) -> None:
    (folder / "rock/broken.wav").write_bytes(b"RIFF")
    try:
        report = evaluate_folder(folder, ClassifierSettings(), model="musicnn")
    finally:
        (folder / "rock/broken.wav").unlink()
    assert report.split == "folds"
    assert report.tracks == {"train": 0, "validation": 0, "test": 8}
    assert report.accuracy == 1.0
    assert report.leaky_accuracy == pytest.approx(1.0)
    assert [row["path"] for row in report.left_out] == ["rock/broken.wav"]
    assert sum(map(sum, report.confusion)) == 8


def test_artists_and_copies_are_in_one_fold(tmp_path: Path) -> None:
    for genre, pitch in (("jazz", 110), ("rock", 700)):
        (tmp_path / genre).mkdir()
        for number in range(4):
            path = tmp_path / genre / f"{number}.flac"
            with soundfile.SoundFile(path, "w", RATE, 1, format="FLAC") as file:
                file.artist = f"{genre} {'duo' if number < 2 else number}"
                file.write(melody(pitch, number))
    copy, _rate = soundfile.read(tmp_path / "rock/3.flac", dtype="float32")
    soundfile.write(tmp_path / "rock/copy.ogg", 0.7 * copy, RATE)
    events: list[dict[str, object]] = []
    report = evaluate_folder(
        tmp_path, ClassifierSettings(), model="musicnn", leaky=False, on_event=events.append
    )
    assert report.grouping == {"jazz": "artist", "rock": "artist"}
    folds = [event for event in events if event["event"] == "fold"]
    assert len(folds) == 6, "nine files: two duos and a copy stay together"
    assert events[-1]["event"] == "fold"
    assert report.tracks["test"] == 9


def test_given_lists(folder: Path, tmp_path: Path) -> None:
    numbers = {"train": (0, 1), "valid": (2,), "test": (3, 9)}
    lists = []
    for part, chosen in numbers.items():
        lists.append(tmp_path / f"{part}.txt")
        names = [f"{genre}/{genre}.{number:05}.wav" for genre in ("jazz", "rock") for number in chosen]
        lists[-1].write_text("\n".join(names) + "\n")
    report = evaluate_folder(folder, ClassifierSettings(folds=2), model="musicnn", lists=lists, leaky=False)
    assert report.tracks == {"train": 4, "validation": 2, "test": 2}
    assert report.accuracy == 1.0
    assert [row["path"] for row in report.left_out] == ["jazz/jazz.00009.wav", "rock/rock.00009.wav"]
    with pytest.raises(CallError, match="three lists"):
        evaluate_folder(folder, ClassifierSettings(), lists=lists[:2])
    with pytest.raises(FileError, match="cannot be read"):
        evaluate_folder(folder, ClassifierSettings(), lists=[*lists[:2], tmp_path / "no.txt"])
    with pytest.raises(FileError, match="not a folder"):
        evaluate_folder(folder / "no", ClassifierSettings())


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    path = tmp_path / "confusion.png"
    write_confusion(path, ["jazz", "rock", "舞曲"], [[3, 0, 1], [0, 4, 0], [1, 1, 2]])
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    start = data.index(b"IDAT") + 4
    length = struct.unpack(">I", data[start - 8 : start - 4])[0]
    rows = np.frombuffer(zlib.decompress(data[start : start + length]), np.uint8)
    picture = rows.reshape(height, 1 + 3 * width)[:, 1:].reshape(height, width, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 5, "cells of several shades"
