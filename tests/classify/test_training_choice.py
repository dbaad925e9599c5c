"""Several models are compared without the test tracks, and the best is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.classify import training
from assistant.classify.calibration import Calibration, Heard
from assistant.classify.features import FEATURES_VERSION, FeatureSpec, Source, extract
from assistant.classify.lab import Fitted, Item, Lab
from assistant.classify.process import source, start_worker
from assistant.classify.split import Member
from assistant.classify.store import Description, write_description
from assistant.config import ClassifierSettings
from assistant.library.library import Library, create_library
from tests.classify.labelled_sounds import add, settings, sound


class FakeLab:
    """Hears the right genre as `musicnn`, and always the first one as a network."""

    def __init__(self) -> None:
        self.compared: dict[str, list[str]] = {}
        self.fits: list[tuple[str, list[str], list[str]]] = []

    def cross_validate(
        self, model: str, items: Sequence[Item], genres: Sequence[str], folds: Sequence[int]
    ) -> list[Heard]:
        self.compared[model] = [item.name for item in items]
        return [self._heard(model, genres.index(item.genre), len(genres)) for item in items]

    def fit(
        self, model: str, items: Sequence[Item], genres: Sequence[str], *, train: Sequence[int],
        validation: Sequence[int], predict: Sequence[int] = (), folder: Path | None = None,
    ) -> Fitted:  # fmt: skip
        learned = [items[place].name for place in (*train, *validation)]
        self.fits.append((model, learned, [items[place].name for place in predict]))
        heard = [self._heard(model, genres.index(items[place].genre), len(genres)) for place in predict]
        return Fitted(heard, {"train": 1, "validation": 0}, 0, 0, None, 0.0)

    def fit_leaky(self, model: str, items: Sequence[Item], genres: Sequence[str]) -> float:
        return 1.0

    def _heard(self, model: str, label: int, classes: int) -> Heard:
        logs = np.full(classes, -4.0)
        logs[label if model == "musicnn" else 0] = -0.1
        return Heard(logs.tolist(), [int(log > -1) for log in logs], 1.0)


def some_items(folder: Path) -> list[Item]:
    names = [(genre, number) for genre in ("jazz", "rock") for number in range(10)]
    return [Item(folder, f"{genre}{n}", Member(f"{genre}/{n}", genre)) for genre, n in names]


def test_the_best_in_cross_validation_is_kept_and_the_test_part_touched_once(tmp_path: Path) -> None:
    items = some_items(tmp_path)
    lab: Any = FakeLab()
    report = training._train(lab, ClassifierSettings(), items, ["cnn", "musicnn"], "v", tmp_path, None, {})
    assert report.model == "musicnn"
    assert report.accuracy == 1.0
    assert {model: found["accuracy"] for model, found in report.cross_validation.items()} == {
        "cnn": 0.5, "musicnn": 1.0
    }  # fmt: skip
    measured, final = lab.fits
    tested = set(measured[2]) & {row["path"] for row in report.tested}
    assert len(tested) == 4
    assert not tested & set(measured[1])
    assert not tested & set(lab.compared["cnn"])
    assert len(final[1]) == 20, "what is used learns from all tracks"


def test_a_network_is_calibrated_on_its_validation_part(tmp_path: Path) -> None:
    items = some_items(tmp_path)
    lab: Any = FakeLab()
    report = training._train(lab, ClassifierSettings(), items, ["cnn"], "v", tmp_path, None, {})
    assert lab.compared == {}
    assert len(lab.fits) == 1
    assert report.leaky_accuracy is None, "that would train the network once more"
    assert report.accuracy == report.majority == report.chance == 0.5


def test_the_network_on_log_mel_is_trained_and_comes_back(tmp_path: Path) -> None:
    library = create_library(tmp_path / "music", settings(epochs=2, batch_size=2))
    for genre in ("jazz", "rock"):
        for number in range(3):
            add(library, f"{genre}/{number}.wav", sound(genre, number))
    items, _left_out = training.collect(library)
    genres = ["jazz", "rock"]
    folder, cache = tmp_path / "version", tmp_path / "cache"
    folder.mkdir()
    epochs: list[dict[str, Any]] = []
    with start_worker() as worker:
        lab = Lab(worker, library.settings.classifier, cache, epochs.append)
        usable, _unusable = lab.take_features(items, ["cnn-mel"])
        assert len(usable) == 6
        fitted = lab.fit(
            "cnn-mel", items, genres, train=[0, 1, 3, 4], validation=[2, 5], predict=[2, 5], folder=folder
        )
        write_description(folder, Description("cnn-mel", genres, 3.0, 0, FEATURES_VERSION, Calibration()))
        request = {
            "folder": str(folder), "threads": 1, "cache": str(cache),
            "sources": [source(items[place].path, items[place].content) for place in (2, 5)],
        }  # fmt: skip
        again = worker.call("predict", request)["results"]
    assert [event["epoch"] for event in epochs if event["event"] == "epoch"] == [1, 2]
    for before, after in zip(fitted.heard, again, strict=True):
        np.testing.assert_allclose(before.logs, after["logs"], atol=1e-4)
        assert before.distance == pytest.approx(after["distance"], rel=1e-3)


def test_crops_are_masked_and_mixed_in_shares(tmp_path: Path) -> None:
    from assistant.classify.mel_network import prepare
    from assistant.classify.segments import measure_standard, pack

    library: Library = create_library(tmp_path / "music")
    add(library, "a.wav", sound("rock", 1))
    add(library, "b.wav", sound("jazz", 1))
    spec = FeatureSpec("mel")
    names = ("a.wav", "b.wav")
    features = [extract(Source(library.root / name), spec, None) for name in names]
    segments = pack(zip(features, (0, 1), strict=True), spec, tmp_path)
    standard = measure_standard(segments)
    places = np.array([0, 1] * 8)
    values, shares = prepare(segments, places, standard, 2, np.random.default_rng(0))
    assert values.shape == (16, *spec.shape)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert ((shares > 0.01) & (shares < 0.99)).any(), "some are mixed"
    again, _shares = prepare(segments, places, standard, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(values, again)
