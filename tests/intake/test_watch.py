"""The watcher with real notices of the system."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.config import IntakeSettings, Settings
from assistant.errors import MusicHelperError
from assistant.intake.settle import Settling
from assistant.intake.watch import watch_state
from assistant.library.library import Library, create_library
from tests.made_sounds import tone, write
from tests.watching import SETTINGS, Watching, watching


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return create_library(tmp_path / "library", SETTINGS)


def test_files_that_come_in_many_ways(library: Library, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside/a.flac", tone(0.5))
    tree = tmp_path / "tree/album/disc 2"
    write(tree / "d.flac", tone(0.7))
    with watching(library) as watcher:
        assert watch_state(library)["backend"] == "inotify"
        assert watch_state(library)["pid"] == os.getpid()
        shutil.copy(outside, library.root / "rock/copied.flac")
        os.link(outside, library.root / "rock/linked.flac")
        shutil.copy(outside, library.root / "rock/b.flac.part")
        (library.root / "rock/b.flac.part").rename(library.root / "rock/renamed.flac")
        shutil.copytree(tmp_path / "tree", library.root / "jazz", dirs_exist_ok=True)
        wanted = ["jazz/album/disc 2/d.flac", "rock/copied.flac", "rock/linked.flac", "rock/renamed.flac"]
        watcher.wait(lambda: watcher.ready() == wanted)
        time.sleep(1.5)
        assert watcher.ready() == wanted
    assert watcher.events[-1].event == "done"
    assert watch_state(library)["running"] is False


def test_a_slow_copy_is_taken_once_and_whole(library: Library, tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=(44100 * 3, 1))
    data = write(tmp_path / "a.flac", noise).read_bytes()
    with watching(library) as watcher:
        with (library.root / "rock/slow.flac").open("wb") as file:
            for start in range(0, len(data), len(data) // 8):
                file.write(data[start : start + len(data) // 8])
                file.flush()
                time.sleep(0.25)
        watcher.wait(lambda: watcher.ready() == ["rock/slow.flac"])
    assert not [event for event in watcher.events if event.event == "failed"]
    assert soundfile.info(library.root / "rock/slow.wav").duration == pytest.approx(3.0)


def test_a_move_and_a_new_genre(library: Library) -> None:
    write(library.root / "unknow/a.flac", tone(0.5))
    with watching(library) as watcher:
        watcher.wait(lambda: watcher.ready() == ["unknow/a.flac"])
        (library.root / "unknow/a.flac").rename(library.root / "blues/a.flac")
        watcher.wait(lambda: (library.root / "blues/a.json").exists())
        watcher.wait(lambda: "blues" in (library.root / "blues/a.txt").read_text())
    assert watcher.ready() == ["unknow/a.flac"]


def test_a_second_watcher_is_told_who_holds_it(library: Library) -> None:
    with watching(library):
        other = Watching(library.root)
        other.join()
        assert isinstance(other.error, MusicHelperError)
        assert str(os.getpid()) in other.error.title


def test_without_notices_regular_scans_do(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    import watchdog.observers

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watchdog.observers.Observer, "schedule", refuse)
    settings = Settings(intake=IntakeSettings(workers=1, quiet_seconds=0.3, scan_seconds=0.5))
    watcher = Watching(library.root, settings)
    try:
        watcher.wait(lambda: bool(watch_state(library).get("last_scan")))
        assert watch_state(library)["backend"] == "scan"
        assert "No space left" in watch_state(library)["note"]
        write(library.root / "rock/a.flac", tone(0.5))
        watcher.wait(lambda: watcher.ready() == ["rock/a.flac"])
    finally:
        watcher.end()


def test_stopping_in_the_middle_leaves_everything_to_do(library: Library) -> None:
    for number in range(6):
        write(library.root / f"rock/{number}.flac", 0.1 * tone(60.0, pitch=300 + number))
    watcher = Watching(library.root)
    watcher.wait(lambda: any(event.event == "working" for event in watcher.events))
    watcher.end()
    assert watcher.error is None
    states = {track.state for track in library.ledger.tracks()}
    assert states <= {"ready", "waiting"}
    assert not list(library.root.rglob(".musichelper-*"))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_settling(tmp_path: Path) -> None:
    clock = Clock()
    settling = Settling(2.0, 60.0, monotonic=clock, wall=time.time)
    path = tmp_path / "a.mp3"
    name = Path("a.mp3")

    def look() -> bool:
        settling.begin()
        return settling.hold(name, path.stat())

    path.write_bytes(b"1")
    assert look()
    clock.now += 3
    path.write_bytes(b"12")
    assert look()
    clock.now += 1
    assert look()
    clock.now += 1.5
    assert not look()
    path.write_bytes(b"")
    for _second in range(60):
        assert look()
        clock.now += 1
    assert list(settling.impatient()) == [name]
    assert list(settling.impatient()) == []
    assert not look()
