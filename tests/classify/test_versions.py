"""Versions are listed, chosen, taken out and in; what other programs wrote is not opened."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.classify.store import adopt_version, current_version, export_version, use_version, versions
from assistant.cli import main
from assistant.errors import CallError, FileError
from assistant.library.library import Library
from tests.classify.labelled_sounds import TrainedHead, add, sound


@pytest.fixture
def adopted(trained_head: TrainedHead, library: Library, tmp_path: Path) -> Library:
    """A new library with the head that was trained elsewhere."""
    origin, report, _events = trained_head
    export_version(origin, report.version, tmp_path / "mine")
    adopt_version(library, tmp_path / "mine")
    return library


def test_out_and_in_again(trained_head: TrainedHead, adopted: Library, tmp_path: Path) -> None:
    origin, report, _events = trained_head
    with pytest.raises(FileError, match="cannot be written"):
        export_version(origin, report.version, tmp_path / "mine")
    found = current_version(adopted)
    assert found is not None
    assert found == replace(report, version=found.version)


def test_the_chosen_version_is_used_until_another_comes(adopted: Library, tmp_path: Path) -> None:
    (old,) = versions(adopted)
    new = adopt_version(adopted, tmp_path / "mine")
    assert current_version(adopted) == new
    use_version(adopted, old.version)
    assert current_version(adopted) == old
    with pytest.raises(CallError, match="no classifier version"):
        use_version(adopted, "20200101-000000")
    newest = adopt_version(adopted, tmp_path / "mine")
    assert current_version(adopted) == newest


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


def test_commands(adopted: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(adopted, "rock/0.wav", sound("rock", 0))

    def run(*words: str) -> Any:
        assert main(["--library", str(adopted.root), "classifier", *words, "--json"]) == 0
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
    (row,) = run("predict", str(adopted.root / "rock/0.wav"))["tracks"]
    assert row["genre"] == "rock"
    assert row["likely"][0] == "rock"
    assert 0 <= row["strangeness"] <= 1

    assert main(["--library", str(adopted.root), "classifier", "evaluate"]) == 0
    printed = capsys.readouterr().out
    assert "95-percent interval" in printed
    assert "precision" in printed
    assert main(["--library", str(adopted.root), "classifier", "list"]) == 0
    assert version in capsys.readouterr().out
    assert main(["--library", str(adopted.root), "classifier", "use", "foreign.h5"]) == 1
    assert main(["--library", str(adopted.root), "classifier", "evaluate", "--folds", "3"]) == 2
