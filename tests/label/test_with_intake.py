"""Labels and intake together: after a move the folder and the ledger still agree."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from assistant.intake.pipeline import run_once
from assistant.label.decisions import Labeller
from assistant.library.library import Library


def states(library: Library) -> list[tuple[str, str]]:
    return [(event.event, event.path) for event in run_once(library) if event.event != "done"]


def test_a_labelled_track_is_not_taken_in_again(library: Library) -> None:
    time = np.arange(4 * 22_050) / 22_050
    soundfile.write(library.root / "unknow/song.flac", 0.3 * np.sin(2 * np.pi * 220 * time), 22_050)
    assert ("ready", "unknow/song.flac") in states(library)
    (track,) = library.ledger.tracks(state="ready")
    names = {"song.flac", "song.wav", "song.txt", "song.json"}
    labeller = Labeller(library)

    labeller.label(track.id, "jazz")
    assert {path.name for path in (library.root / "jazz").iterdir()} == names
    assert json.loads((library.root / "jazz/song.json").read_text())["genre"] == "jazz"
    assert "jazz" in (library.root / "jazz/song.txt").read_text()
    assert states(library) == []

    labeller.undo()
    assert {path.name for path in (library.root / "unknow").iterdir()} == names
    assert json.loads((library.root / "unknow/song.json").read_text())["genre"] == ""
    assert states(library) == []
    (after,) = library.ledger.tracks()
    assert (after.id, after.path, after.wav) == (track.id, track.path, track.wav)
    assert after.caption == Path("unknow/song.txt")
    assert labeller.problems == []


def test_a_track_not_yet_taken_in_can_be_labelled(library: Library) -> None:
    time = np.arange(4 * 22_050) / 22_050
    soundfile.write(library.root / "unknow/song.flac", 0.3 * np.sin(2 * np.pi * 220 * time), 22_050)
    track = library.ledger.add_track(Path("unknow/song.flac"), "0" * 32, 1, 1)
    labeller = Labeller(library)
    labeller.label(track.id, "rock")
    assert labeller.problems == []
    assert ("ready", "rock/song.flac") in states(library)
    assert json.loads((library.root / "rock/song.json").read_text())["genre"] == "rock"
