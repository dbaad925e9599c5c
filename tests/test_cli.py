"""The command line: its documents, its words and its exit statuses, as another program sees them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from assistant.cli import main
from assistant.commands.console import fitted, printable, table_lines, width


def _tone(path: Path, seconds: float = 3.0, pitch: float = 440.0, rate: int = 22050) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time_axis = np.arange(int(seconds * rate)) / rate
    beat = 0.6 + 0.4 * np.sign(np.sin(2 * np.pi * 2 * time_axis))
    soundfile.write(path, 0.3 * beat * np.sin(2 * np.pi * pitch * time_axis), rate)
    return path


def _documents(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "lab"
    assert main(["init", str(folder)]) == 0
    capsys.readouterr()
    return folder


def test_init_makes_the_eleven_folders(root: Path) -> None:
    folders = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
    assert " ".join(folders) == "blues classical country disco hiphop jazz metal pop reggae rock unknow"


def test_intake_status_and_label_speak_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song = _tone(root / "unknow" / "Artist - [Song].flac")
    (root / "unknow" / "broken.mp3").write_bytes(b"ID3 but no music" * 100)
    assert main(["--library", str(root), "watch", "--once", "--json"]) == 1
    events = _documents(capsys)
    assert {event["event"] for event in events} >= {"ready", "failed", "done"}
    ready = next(event for event in events if event["event"] == "ready")
    failed = next(event for event in events if event["event"] == "failed")
    assert ready["path"] == str(song)
    assert failed["path"] == str(root / "unknow" / "broken.mp3")
    assert failed["reason"]
    for suffix in (".wav", ".txt", ".json"):
        assert song.with_suffix(suffix).exists()

    assert main(["--library", str(root), "status", "--json"]) == 0
    (state,) = _documents(capsys)
    assert state["tracks"]["total"] == 2
    assert state["tracks"]["by_genre"]["unknow"] == 2
    assert state["tracks"]["by_state"] == {"ready": 1, "failed": 1}
    assert state["failed"][0]["path"] == str(root / "unknow" / "broken.mp3")
    assert state["runs"] == []

    assert main(["--library", str(root), "label", "list", "--json"]) == 0
    (listing,) = _documents(capsys)
    assert [item["path"] for item in listing["proposals"]] == [str(song)]

    assert main(["--library", str(root), "label", "set", str(song), "jazz", "--json"]) == 0
    capsys.readouterr()
    assert not song.exists()
    assert (root / "jazz" / song.name).exists()
    assert (root / "jazz" / song.with_suffix(".txt").name).exists()
    assert main(["--library", str(root), "label", "undo"]) == 0
    assert song.exists()
    assert main(["--library", str(root), "label", "undo"]) == 1

    capsys.readouterr()
    assert main(["--library", str(root), "watch", "--once", "--json"]) == 0
    assert {event["event"] for event in _documents(capsys)} == {"skipped", "done"}
    assert main(["--library", str(root), "watch", "--once"]) == 0
    assert "0 ready, 0 failed, 2 as before" in capsys.readouterr().out


def test_convert_names_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = _tone(tmp_path / "good.ogg", rate=44100)
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"")
    assert main(["convert", str(good), str(bad), "--out", str(tmp_path / "out"), "--json"]) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert Path(document["files"][0]["wav"]).exists()
    assert document["failed"][0]["path"] == str(bad)
    assert "bad.mp3" in captured.err


def test_a_file_is_described_where_it_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song = _tone(tmp_path / "jazz" / "-song.wav", rate=44100)
    assert main(["caption", str(song), str(tmp_path / "absent.mp3"), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert "jazz" in document["captions"][0]["caption"]
    assert document["failed"][0]["path"] == str(tmp_path / "absent.mp3")
    assert [path.name for path in song.parent.iterdir()] == ["-song.wav"]


@pytest.mark.parametrize(
    "call",
    [
        ["no-such-command"],
        ["--library", "/nonexistent", "status"],
        ["--config", "/nonexistent.toml", "doctor"],
        ["label", "accept"],
    ],
)
def test_a_wrong_call_is_status_2_without_a_traceback(call: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "assistant.cli", *call], capture_output=True, text=True, check=False, cwd="/"
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr


def test_errors_are_told_in_the_language_of_the_person(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "assistant.cli", "--library", str(tmp_path / "none"), "status"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MUSICHELPER_LANGUAGE": "zh_TW"},
    )
    assert result.returncode == 2
    assert "不存在" in result.stderr


def test_watch_leaves_at_ctrl_c_and_frees_the_lock(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watcher = subprocess.Popen(
        [sys.executable, "-m", "assistant.cli", "--library", str(root), "watch", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets its background jobs ignore Ctrl-C, and the tests may run in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert watcher.stderr is not None
    assert watcher.stdout is not None
    watcher.stderr.readline()
    time.sleep(1.0)
    _tone(root / "pop" / "new.wav", rate=44100)
    lines = iter(watcher.stdout.readline, "")
    assert any(json.loads(line)["event"] == "ready" for line in lines)
    assert main(["--library", str(root), "status"]) == 0
    shown = capsys.readouterr().out
    assert f"Watched by process {watcher.pid}." in shown
    assert "last scan" in shown
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait(timeout=60) == 130
    assert "Traceback" not in watcher.stderr.read()


def test_text_for_the_terminal_is_harmless_and_measured_in_cells() -> None:
    assert printable("a\x1b[31m\n\u2028\u202e\udcff") == "a\\x1b[31m\\n\\u2028\\u202e\\xff"
    assert width("爵士 jazz") == 9
    assert fitted("爵士樂曲", 5) == "爵士…"
    assert table_lines([["爵士", "1"], ["jazz", "10"]], right=[1]) == ["爵士   1", "jazz  10"]
