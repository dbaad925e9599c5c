"""What a watcher does when its notices fail it, with the real inotify."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.config import IntakeSettings, Settings
from assistant.intake import supervise
from assistant.intake.notices import Notices
from assistant.intake.observer import FolderObserver
from assistant.intake.watch import watch_state
from assistant.library import host
from assistant.library.library import Library, LibraryUnavailable, create_library
from assistant.library.scan import scan
from tests.made_sounds import tone, write
from tests.watching import SETTINGS, watching


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return create_library(tmp_path / "library", SETTINGS)


@pytest.fixture
def observers(monkeypatch: pytest.MonkeyPatch) -> list[FolderObserver]:
    """The observers that are made from now on."""
    made: list[FolderObserver] = []

    class Kept(FolderObserver):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr("assistant.intake.observer.FolderObserver", Kept)
    return made


def until(condition: Callable[[], object], seconds: float = 10.0) -> float:
    """Seconds until the condition held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_replaced_and_nothing_is_lost(
    library: Library, observers: list[FolderObserver]
) -> None:
    with watching(library) as watcher:
        reader = observers[0]._observer._inotify_fd

        def fail(_event: object) -> None:
            raise KeyError("injected")

        reader.handle_event = fail
        write(library.root / "rock/a.flac", tone(0.2))
        until(lambda: not reader.is_alive())
        assert observers[0]._observer.is_alive()  # watchdog itself does not know
        write(library.root / "rock/b.flac", tone(0.3))
        watcher.wait(lambda: watcher.ready() == ["rock/a.flac", "rock/b.flac"], 10)
        until(lambda: watch_state(library)["rebuilds"] == 1)
        write(library.root / "rock/c.flac", tone(0.4))
        watcher.wait(lambda: "rock/c.flac" in watcher.ready(), 10)
        assert watch_state(library)["backend"] == "inotify"
        # What came while nobody listened was missed by the notices, what came later was not.
        until(lambda: watch_state(library)["missed"] == 2)


def test_a_silent_observer_is_found_out_by_the_canary(
    library: Library, observers: list[FolderObserver], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supervise._CANARY_EVERY + supervise._CANARY_PATIENCE < 10
    monkeypatch.setattr(supervise, "_CANARY_EVERY", 0.5)
    monkeypatch.setattr(supervise, "_CANARY_PATIENCE", 2.0)
    with watching(library) as watcher:
        until(lambda: watch_state(library)["canary"] == "ok")
        remove = ctypes.CDLL(None).inotify_rm_watch
        for number in observers[0].watches():
            remove(observers[0]._descriptor, number)
        write(library.root / "jazz/a.flac", tone(0.2))
        assert observers[0].alive
        until(lambda: len(observers) == 2)
        until(lambda: watch_state(library)["rebuilds"] == 1)
        watcher.wait(lambda: watcher.ready() == ["jazz/a.flac"])
        assert watch_state(library)["watches"] >= watch_state(library)["folders"]


def test_no_folder_stays_blind(library: Library, observers: list[FolderObserver]) -> None:
    with watching(library):
        remove = ctypes.CDLL(None).inotify_rm_watch
        blind = {
            str(path.relative_to(library.root)): path.stat().st_ino for path in library.root.glob("?azz")
        }
        for number, inode in observers[0].watches().items():
            if inode in blind.values():
                remove(observers[0]._descriptor, number)
        until(lambda: observers[0].blind(library.root, blind) == {"jazz"})
        write(library.root / "rock/a.flac", tone(0.2))  # whose notice makes it scan
        until(lambda: len(observers) == 2)
        assert observers[1].blind(library.root, blind) == set()


@pytest.mark.parametrize("kind", ["kernel", "watchdog"])
def test_blind_folders_are_told_from_seeing_ones(tmp_path: Path, kind: str) -> None:
    for name in ("a/b", "c", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    heard: list[str] = []
    observer = FolderObserver(tmp_path, heard.append, lambda: None)
    try:
        folders = {name: (tmp_path / name).stat().st_ino for name in ("", "a", "a/b", "c")}
        assert observer.blind(tmp_path, folders) == set()
        assert len(observer.watches()) == 5
        watches = [number for number, inode in observer.watches().items() if inode == folders["a/b"]]
        if kind == "kernel":
            ctypes.CDLL(None).inotify_rm_watch(observer._descriptor, watches[0])
        else:
            emitter = next(iter(observer._observer.emitters))
            emitter._inotify._active_callbacks_by_watch[watches[0]] = os.fsencode(tmp_path / "old name")
        until(lambda: observer.blind(tmp_path, folders) == {"a/b"})
    finally:
        observer.stop()
    assert not any(thread.is_alive() for thread in observer.threads)


def test_lost_notices_are_counted_and_everything_is_found(
    library: Library, observers: list[FolderObserver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """watchdog's reader stands still while more happens than the kernel keeps for it."""
    queue = host.number_in(Path("/proc/sys/fs/inotify/max_queued_events")) or 0
    if queue > 20_000:
        pytest.skip("the kernel keeps too many notices for a quick test")
    with watching(library) as watcher:
        go_on = threading.Event()
        reader = observers[0]._observer._inotify_fd
        handle = reader.handle_event

        def slow(event: object) -> None:
            go_on.wait(30)
            handle(event)

        reader.handle_event = slow
        noise = library.root / "rock"
        for number in range(queue // 2 + 2000):
            (noise / f"{number % 7}.part").touch()
            (noise / f"{number % 7}.part").unlink()
        write(library.root / "pop/after.flac", tone(0.2))
        go_on.set()
        watcher.wait(lambda: watcher.ready() == ["pop/after.flac"])
        until(lambda: watch_state(library)["overflows"] >= 1)


_LIMITED = """
import sys, threading, time
from pathlib import Path
sys.path.insert(0, {checkout!r})
Path("/proc/sys/user/max_inotify_watches").write_text("50")
from assistant.config import IntakeSettings, Settings
from assistant.intake.watch import watch
from assistant.library.library import Library
stop = threading.Event()
threading.Timer({seconds}, stop.set).start()
settings = Settings(intake=IntakeSettings(workers=1, quiet_seconds=0.3, scan_seconds=1.0))
with Library(Path({root!r}), settings) as library:
    for event in watch(library, stop):
        print(event.event, event.path, flush=True)
"""


def test_used_up_watches_are_said_and_everything_is_found(library: Library) -> None:
    if subprocess.run(["unshare", "-Ur", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system does not allow user namespaces")
    for number in range(100):
        (library.root / f"rock/{number}").mkdir()
    program = _LIMITED.format(checkout=str(Path(__file__).parents[2]), root=str(library.root), seconds=30)
    watcher = subprocess.Popen(["unshare", "-Ur", sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        until(lambda: watch_state(library).get("blind", 0) > 40)
        state = watch_state(library)
        assert state["backend"] == "scan"
        assert (state["watches"], state["watch_limit"]) == (50, 50)
        assert "50 watches are used up" in state["note"]
        assert "sudo sysctl fs.inotify.max_user_watches=65536" in state["hint"]
        for number in range(0, 100, 10):
            write(library.root / f"rock/{number}/{number}.flac", tone(0.2 + number / 1000))
        until(lambda: len(library.ledger.tracks(state="ready")) == 10, 20)
    finally:
        watcher.send_signal(signal.SIGTERM)
        watcher.communicate(timeout=10)


def test_a_limit_that_was_raised_is_used(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = [28]
    start = FolderObserver.__init__

    def refused(*arguments: Any) -> None:
        if limit[0] < 100:
            raise OSError(28, "inotify watch limit reached")
        start(*arguments)

    monkeypatch.setattr(FolderObserver, "__init__", refused)
    monkeypatch.setattr(host, "inotify_limits", lambda: (limit[0], 128))
    with watching(library) as watcher:
        state = watch_state(library)
        assert (state["backend"], state["watch_limit"]) == ("scan", 28)
        assert "inotify watch limit reached" in state["note"]
        assert "sysctl" in state["hint"]
        limit[0] = 100
        watcher.wait(lambda: watch_state(library)["backend"] == "inotify", 5)
        assert not watch_state(library)["note"]


def test_a_network_file_system_is_compared_regularly(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_mounts", lambda: [(library.root, "nfs4")])
    settings = Settings(intake=IntakeSettings(workers=1, quiet_seconds=0.3, scan_seconds=0.5))
    with watching(library, settings) as watcher:
        assert watch_state(library)["backend"] == "scan"
        assert "nfs4" in watch_state(library)["note"]
        write(library.root / "rock/a.flac", tone(0.2))
        watcher.wait(lambda: watcher.ready() == ["rock/a.flac"])
        assert watch_state(library)["missed"] == 0


def states(library: Library) -> dict[str, int]:
    return {state: number for _folder, state, number, _seconds in library.ledger.counts() if number}


def test_it_looks_as_soon_as_the_machine_wakes(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = 0.0
    monkeypatch.setattr(host, "_mounts", lambda: [(library.root, "nfs4")])
    monkeypatch.setattr(host, "suspended_seconds", lambda: slept)
    monkeypatch.setattr(supervise, "_SCAN_SECONDS", 600.0)
    with watching(library) as watcher:
        until(lambda: watch_state(library).get("scans"))
        write(library.root / "rock/a.flac", tone(0.2))
        time.sleep(1.0)
        assert watcher.ready() == []
        slept = 3600.0
        watcher.wait(lambda: watcher.ready() == ["rock/a.flac"])


def test_a_folder_that_goes_and_comes_back(library: Library, tmp_path: Path) -> None:
    write(library.root / "rock/a.flac", tone(0.2))
    with watching(library) as watcher:
        watcher.wait(lambda: watcher.ready() == ["rock/a.flac"])
        library.root.rename(tmp_path / "unplugged")
        library.root.mkdir()  # the empty place where a disk was mounted
        watcher.wait(lambda: watch_state(library).get("trouble", "") != "")
        assert "is empty" in watch_state(library)["note"]
        assert watcher.events[-1].event == "paused"
        time.sleep(1.2)
        assert not list(library.root.iterdir())
        library.root.rmdir()
        write(tmp_path / "unplugged/rock/b.flac", tone(0.3))
        (tmp_path / "unplugged").rename(library.root)
        watcher.wait(lambda: watcher.ready() == ["rock/a.flac", "rock/b.flac"])
        assert "resumed" in [event.event for event in watcher.events]
        assert watch_state(library)["backend"] == "inotify"
        assert not watch_state(library).get("trouble")
    library.close()
    assert states(library) == {"ready": 2}
    assert watcher.error is None


def test_a_scan_of_a_folder_that_goes_meanwhile_forgets_nothing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(library.root / "rock/a.flac", tone(0.2))
    scan(library)
    walk = "assistant.library.scan._walk"

    def unmount(*_arguments: object) -> dict[Path, object]:
        library.root.rename(tmp_path / "unplugged")
        library.root.mkdir()
        return {}

    monkeypatch.setattr(walk, unmount)
    with pytest.raises(LibraryUnavailable, match="is empty"):
        scan(library)
    assert [track.state for track in library.ledger.tracks()] == ["waiting"]
    shutil.rmtree(library.root)
    with pytest.raises(LibraryUnavailable, match="not there"):
        scan(library)


def watch_command(library: Library) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "assistant.cli", "--library", str(library.root), "watch"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def end_by_sigterm(watcher: subprocess.Popen[str]) -> None:
    """It ends soon, in order, without a traceback."""
    began = time.monotonic()
    watcher.send_signal(signal.SIGTERM)
    _out, errors = watcher.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert watcher.returncode == 0
    assert "Traceback" not in errors


def test_sigterm_ends_the_command_soon_and_cleanly(library: Library) -> None:
    for number in range(4):
        write(library.root / f"rock/{number}.flac", 0.1 * tone(120.0, pitch=300 + number))
    watcher = watch_command(library)
    until(lambda: watch_state(library).get("working"), 20)
    end_by_sigterm(watcher)
    assert not watch_state(library)["running"]
    assert not list(library.root.rglob(".musichelper-*"))


def test_sigterm_breaks_off_the_reading_of_large_files(library: Library) -> None:
    with (library.root / "rock/large.wav").open("wb") as file:
        file.truncate(60 << 30)  # a hole, which takes long to read
    os.utime(library.root / "rock/large.wav", (0, 0))
    watcher = watch_command(library)

    def reads() -> bool:
        with contextlib.suppress(OSError):
            files = Path(f"/proc/{watcher.pid}/fd").iterdir()
            return any(file.readlink().name == "large.wav" for file in files)
        return False

    until(reads, 20)
    end_by_sigterm(watcher)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_missed_files_are_those_that_came_later_and_were_never_told_of() -> None:
    clock = Clock()
    notices = Notices(Path(supervise.CANARY), set(), monotonic=clock, wall=clock)
    notices.scan_found([(Path("early.mp3"), 1000.0)])
    notices.watching_since(1000.0)
    notices.tell("told.mp3")
    notices.tell("slow.mp3")
    notices.scan_begins([])
    notices.scan_begins([Path("slow.mp3")])
    arrived = [("before.mp3", 999.0), ("slow.mp3", 1001.0), ("late.mp3", 1001.0), ("missed.mp3", 1001.0)]
    notices.scan_found([(Path(name), changed) for name, changed in arrived])
    clock.now += 1
    notices.tell("late.mp3")
    assert notices.settle() == 0
    clock.now += 5
    assert notices.settle() == 1
    assert notices.missed == 1


def test_only_what_may_be_music_makes_it_look() -> None:
    clock = Clock()
    notices = Notices(Path(supervise.CANARY), {Path("rock/made.wav")}, monotonic=clock)
    for path in (
        "",
        ".hidden",
        "rock/.x.tmp",
        "rock/a.txt",
        "rock/a.json",
        "rock/made.wav",
        supervise.CANARY,
    ):
        notices.tell(path)
    assert not notices.due(2000.0, 2.0, 60.0)
    assert notices.canary_seen == 1000.0
    notices.tell("rock/a.mp3")
    assert not notices.due(1001.0, 2.0, 60.0)
    assert notices.due(1002.0, 2.0, 60.0)
