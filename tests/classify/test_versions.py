"""Versions are listed, chosen, taken out and in; what other programs wrote is not opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.classify.predict import predict
from assistant.classify.store import adopt_version, current_version, export_version, use_version, versions
from assistant.classify.training import train_classifier
from assistant.cli import main
from assistant.errors import CallError, FileError
from assistant.library.library import Library, create_library
from tests.classify.labelled_sounds import add, settings, sound


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = create_library(tmp_path_factory.mktemp("music"), settings(folds=2))
    for genre in ("jazz", "rock"):
        for number in range(3):
            add(library, f"{genre}/{number}.wav", sound(genre, number))
    train_classifier(library, model="musicnn", leaky=False)
    return library


def test_out_and_in_again(trained: Library, library: Library, tmp_path: Path) -> None:
    first = current_version(trained)
    assert first is not None
    export_version(trained, first.version, tmp_path / "mine")
    with pytest.raises(FileError, match="cannot be written"):
        export_version(trained, first.version, tmp_path / "mine")
    adopted = adopt_version(library, tmp_path / "mine")
    assert current_version(library) == adopted
    path = trained.root / "rock/1.wav"
    (found,) = predict(library, [path])
    assert found.genre == "rock"


def test_the_chosen_version_is_used_until_another_is_trained(trained: Library, tmp_path: Path) -> None:
    (old,) = versions(trained)
    export_version(trained, old.version, tmp_path / "copy")
    new = adopt_version(trained, tmp_path / "copy")
    assert current_version(trained) == new
    use_version(trained, old.version)
    assert current_version(trained) == old
    with pytest.raises(CallError, match="no classifier version"):
        use_version(trained, "20200101-000000")
    newest = adopt_version(trained, tmp_path / "copy")
    assert current_version(trained) == newest


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "head.pkl", "head.joblib"])
def test_foreign_models_are_refused(library: Library, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89HDF\r\n")
    with pytest.raises(FileError, match="no classifier of musichelper") as caught:
        adopt_version(library, tmp_path / name)
    assert "foreign code" in caught.value.hint
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_bytes(b"\x80\x04")
    with pytest.raises(FileError):
        adopt_version(library, folder)
    assert versions(library) == []


def test_commands(trained: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> Any:
        assert main(["--library", str(trained.root), "classifier", *words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    listed = run("list")["versions"]
    assert [row["in_use"] for row in listed].count(True) == 1
    assert listed[0]["model"] == "musicnn"
    version = listed[0]["version"]
    assert run("use", version) == {"version": version, "model": "musicnn"}
    assert run("export", str(tmp_path / "taken"))["version"] == version
    picture = tmp_path / "confusion.png"
    assert run("evaluate", "--png", str(picture))["version"] == version
    assert picture.read_bytes().startswith(b"\x89PNG")
    (row,) = run("predict", str(trained.root / "rock/0.wav"))["tracks"]
    assert row["genre"] == "rock"
    assert row["likely"][0] == "rock"
    assert 0 <= row["strangeness"] <= 1

    assert main(["--library", str(trained.root), "classifier", "evaluate"]) == 0
    printed = capsys.readouterr().out
    assert "95-percent interval" in printed
    assert "precision" in printed
    assert main(["--library", str(trained.root), "classifier", "list"]) == 0
    assert version in capsys.readouterr().out
    assert main(["--library", str(trained.root), "classifier", "use", "foreign.h5"]) == 1
    assert main(["--library", str(trained.root), "classifier", "evaluate", "--folds", "3"]) == 2
