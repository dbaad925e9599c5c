"""Garbled names: shown with what they were meant to be, renamed only when asked, and taken back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from assistant.cli import main
from assistant.config import IntakeSettings, Settings
from assistant.intake.pipeline import run_once
from assistant.label.decisions import Labeller
from assistant.library.library import Library, create_library
from tests.made_sounds import tone, write

GARBLED = "周杰倫 - 七里香"


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("names") / "library"
    with create_library(root, Settings(intake=IntakeSettings(workers=2))) as library:
        plain = write(root / "rock" / "plain.flac", tone(0.5))
        raw = root / "unknow" / os.fsdecode(GARBLED.encode("big5") + b".flac")
        raw.write_bytes(write(root / "a.flac", tone(0.6)).read_bytes())
        (root / "a.flac").unlink()
        latin = root / "pop" / ("青花瓷".encode().decode("latin-1") + ".flac")
        latin.write_bytes(write(root / "a.flac", tone(0.7)).read_bytes())
        (root / "a.flac").unlink()
        assert [event.event for event in run_once(library)].count("ready") == 3
        assert plain.exists()
    return root


def files(root: Path, folder: str) -> set[bytes]:
    return {os.fsencode(path.name) for path in (root / folder).iterdir()}


def call(capsys: pytest.CaptureFixture[str], root: Path, *words: str) -> dict[str, list[dict[str, str]]]:
    capsys.readouterr()
    assert main(["--library", str(root), "names", *words, "--json"]) == 0
    document: dict[str, list[dict[str, str]]] = json.loads(capsys.readouterr().out)
    return document


def test_names_are_listed_fixed_and_taken_back(taken_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {folder: files(taken_in, folder) for folder in ("unknow", "pop", "rock")}
    listed = call(capsys, taken_in, "list")["names"]
    assert {(name["proposal"], name["encoding"]) for name in listed} == {
        (f"{GARBLED}.flac", "Big5"),
        ("青花瓷.flac", "UTF-8"),
    }
    assert len(call(capsys, taken_in, "fix", "--all", "--dry-run")["renamed"]) == 2
    assert {folder: files(taken_in, folder) for folder in before} == before

    (taken_in / "pop" / "青花瓷.wav").write_text("mine")  # a name of the set is taken
    assert len(call(capsys, taken_in, "fix", "--all")["renamed"]) == 2
    endings = (".flac", ".wav", ".txt", ".json")
    assert files(taken_in, "unknow") == {f"{GARBLED}{ending}".encode() for ending in endings}
    assert files(taken_in, "pop") == {
        "青花瓷.wav".encode(),
        *(f"青花瓷 (2){ending}".encode() for ending in endings),
    }
    assert (taken_in / "pop" / "青花瓷.wav").read_text() == "mine"
    fields = json.loads((taken_in / "unknow" / f"{GARBLED}.json").read_bytes())
    assert fields["musichelper"]["source"] == f"{GARBLED}.flac"
    assert fields["title"] == GARBLED
    assert call(capsys, taken_in, "list")["names"] == []

    with Library(taken_in) as library:
        track = library.ledger.track_at(Path("pop/青花瓷 (2).flac"))
        assert track is not None
        assert (track.state, library.genre_of(track.path)) == ("ready", "pop")
        assert [event.event for event in run_once(library)].count("ready") == 0
        labeller = Labeller(library)
        (taken_in / "pop" / "青花瓷.wav").unlink()
        assert labeller.undo()
        assert {folder: files(taken_in, folder) for folder in before} == before
        assert labeller.redo()
        assert labeller.undo()
        assert {folder: files(taken_in, folder) for folder in before} == before


def test_a_call_without_files_and_one_for_a_good_name(
    taken_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--library", str(taken_in), "names", "fix"]) == 2
    assert "names list" in capsys.readouterr().err
    assert main(["--library", str(taken_in), "names", "fix", "rock/plain.flac"]) != 0
    assert "does not look garbled" in capsys.readouterr().err
