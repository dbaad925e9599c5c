"""What a person meets at the command line: what is left out, stopping, and folders that change."""

from __future__ import annotations

import functools
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.classify.store import versions
from assistant.cli import main
from assistant.library.library import Library
from tests.classify.labelled_sounds import RATE, SECONDS, TrainedHead, add, sound


@pytest.fixture
def own(trained_head: TrainedHead, tmp_path: Path) -> Library:
    """A copy of the library with a trained head, its features cached."""
    origin, _report, _events = trained_head
    shutil.copytree(origin.root, tmp_path / "music")
    return Library(tmp_path / "music", origin.settings)


def trained(library: Library, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    words = ["--library", str(library.root), "classifier", "train", "--model", "musicnn", "--json"]
    assert main(words) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_what_cannot_be_used_is_named(own: Library, capsys: pytest.CaptureFixture[str]) -> None:
    add(own, "jazz/silent.wav", np.zeros(round(SECONDS * RATE), np.float32))
    add(own, "metal/only.wav", sound("metal", 1))
    (own.root / "pop/corrupt.mp3").write_bytes(b"ID3")
    corrupt = own.ledger.add_track(Path("pop/corrupt.mp3"), "corrupt", 3, 1)
    own.ledger.update_track(corrupt.id, state="failed", reason="The file is cut off.")
    report = trained(own, capsys)
    reasons = {row["path"]: row["reason"] for row in report["left_out"]}
    assert "silent" in reasons["jazz/silent.wav"]
    assert reasons["pop/corrupt.mp3"] == "The file is cut off."
    assert report["genres_left_out"] == ["metal"]
    assert main(["--library", str(own.root), "classifier", "evaluate"]) == 0
    assert "metal is left out" in "".join(capsys.readouterr())


def test_a_renamed_folder_is_a_renamed_genre(own: Library, capsys: pytest.CaptureFixture[str]) -> None:
    (own.root / "pop").rename(own.root / "ballads")
    for track in own.ledger.tracks(folder="pop"):
        path = Path("ballads", track.path.name)
        own.ledger.update_track(track.id, path=path, wav=path)
    assert trained(own, capsys)["genres"] == ["ballads", "jazz", "rock"]
    shutil.rmtree(own.root / "ballads")
    for track in own.ledger.tracks(folder="ballads"):
        own.ledger.update_track(track.id, state="missing")
    assert trained(own, capsys)["genres"] == ["jazz", "rock"]


def test_a_prediction_tells_how_the_segments_agree(own: Library, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--library", str(own.root), "classifier", "predict", str(own.root / "rock/1.wav")]) == 0
    assert "2 of 2 segments agree; at 90% it is one of: rock" in capsys.readouterr().out


def test_an_interrupt_leaves_the_last_good_model(own: Library) -> None:
    folder = own.paths.classifier
    before = {path.name for path in folder.iterdir()}
    command = [sys.executable, "-m", "assistant.cli", "--library", str(own.root), "classifier", "train"]
    with subprocess.Popen(
        [*command, "--model", "musicnn"],
        stderr=subprocess.PIPE,
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's & ignores it
    ) as training:
        limit = time.monotonic() + 120
        while not any(tasks.read_text() for tasks in Path(f"/proc/{training.pid}/task").glob("*/children")):
            assert time.monotonic() < limit  # until the process that trains is there
            time.sleep(0.01)
        training.send_signal(signal.SIGINT)
        assert training.wait(60) == 130
    assert {path.name for path in folder.iterdir()} == before


def test_decisions_by_command_are_learned_in_the_background(
    own: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[classifier]\nretrain_after = 2\nfolds = 3\n")
    words = ["--library", str(own.root), "--config", str(config)]
    names = [f"{number}.wav" for number in range(7, 10)]
    tracks = [add(own, name, sound("rock", number)) for number, name in enumerate(names, start=7)]
    before = {report.version for report in versions(own)}
    assert main([*words, "label", "set", names[0], "rock"]) == 0
    assert "in the background" not in "".join(capsys.readouterr())
    assert main([*words, "label", "set", names[1], "rock"]) == 0
    assert "in the background" in "".join(capsys.readouterr()), "said, and nothing waits for it"
    deadline = time.monotonic() + 60
    while own.ledger.proposal(tracks[2]) is None and time.monotonic() < deadline:
        time.sleep(0.2)
    assert own.paths.learning_log.read_text() == ""
    proposal = own.ledger.proposal(tracks[2])
    assert proposal is not None
    assert proposal.genre == "rock"
    assert len({report.version for report in versions(own)} - before) == 1
    assert main([*words, "label", "set", names[2], "rock"]) == 0
    assert "in the background" not in "".join(capsys.readouterr()), "it has just learned"
