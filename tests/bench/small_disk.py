"""Scenarios that need mounts of their own: `unshare -Urm python -m tests.bench.small_disk WHAT FOLDER`."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from assistant.config import IntakeSettings, Settings
from assistant.intake.pipeline import run_once
from assistant.intake.retry import retry
from assistant.intake.watch import watch
from assistant.library.library import Library, create_library
from tests.bench.fault_library import is_whole, song, whole
from tests.bench.fault_scenarios import Outcome

_SETTINGS = Settings(intake=IntakeSettings(workers=2, quiet_seconds=0.1, scan_seconds=2.0, reserve_mib=1))
_FILES = 8
_MANY_SECONDS = 20.0  # 3.5 MB of WAV


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def full(folder: Path) -> Outcome:
    """Eight songs on 40 MB, an intruder that takes the rest, then room; one watcher throughout."""
    _mount("-t", "tmpfs", "-o", "size=40m", "disk", str(folder))
    library = create_library(folder / "library", _SETTINGS)
    for number in range(_FILES):
        song(library.root / f"rock/{number}.flac", number, _MANY_SECONDS)
    # No estimate helps against another program that fills the disk meanwhile.
    filler = folder / "filler"
    stop, intruded, events = threading.Event(), threading.Event(), list[str]()

    def run() -> None:
        with Library(library.root, _SETTINGS) as own:
            for event in watch(own, stop):
                events.append(event.event)
                if events.count("ready") == 2 and not intruded.is_set():
                    intruded.set()
                    _fill(filler)

    watcher = threading.Thread(target=run)
    watcher.start()
    _until(lambda: filler.exists() and "paused" in events, 60)
    time.sleep(2)
    with library:
        full_torn = sum(not is_whole(path, _MANY_SECONDS) for path in library.root.glob("rock/*.wav"))
        left = list(library.root.rglob(".musichelper-*.tmp"))
        ready = library.ledger.count_state("ready")
        lost = len(library.ledger.tracks()) != _FILES or library.ledger.count_state("failed")
    _mount("-o", "remount,size=200m", str(folder))
    filler.unlink()
    with library:
        _until(lambda: "resumed" in events, 30)
        time.sleep(1)
        retry(library)  # what was put off for a minute
        _until(lambda: library.ledger.count_state("ready") == _FILES, 60)
        stop.set()
        watcher.join()
        good = whole(library)[0]
        torn = sum(not is_whole(path, _MANY_SECONDS) for path in library.root.glob("rock/*.wav"))
        fine = not (full_torn or torn or lost) and "paused" in events and "resumed" in events
        return Outcome(
            _FILES,
            good if fine else 0,
            f"{ready} ready before, {full_torn} torn, {len(left)} temporaries, paused and resumed by itself"
            if fine
            else f"{events} torn {full_torn} {torn} lost {lost}",
        )


def ffmpeg(folder: Path) -> Outcome:
    """The same songs by one ffmpeg process each: WAVs under their last names that are not whole."""
    _mount("-t", "tmpfs", "-o", "size=40m", "disk", str(folder))
    torn = good = 0
    for number in range(_FILES):
        source = song(folder / f"{number}.flac", number, _MANY_SECONDS)
        if number == 2:
            _fill(folder / "filler")
        target = folder / f"{number}.wav"
        call = ["ffmpeg", "-v", "quiet", "-nostdin", "-y", "-i", str(source), str(target)]
        subprocess.run(call, check=False)
        fits = target.exists() and is_whole(target, _MANY_SECONDS)
        good += fits
        torn += target.exists() and not fits
        if number >= 2:
            source.unlink()
    return Outcome(_FILES, good, f"{torn} torn files left")


def read_only(folder: Path) -> Outcome:
    """Five songs in a folder that may not be written to, five in one that may."""
    library = create_library(folder / "library", _SETTINGS)
    for number in range(10):
        song(library.root / f"{'rock' if number % 2 else 'jazz'}/{number}.flac", number)
    rock = library.root / "rock"
    _mount("--bind", str(rock), str(rock))
    _mount("-o", "remount,ro,bind", str(rock))
    with library:
        events = list(run_once(library))
        named = sum(event.event == "failed" and "may not be written" in event.reason for event in events)
        first = library.ledger.count_state("ready"), library.ledger.count_state("waiting")
        _mount("-o", "remount,rw,bind", str(rock))
        list(run_once(library))
        good, torn, left = whole(library)
        fine = (named, first, torn, left) == (5, (5, 5), 0, 0)
        return Outcome(
            10, good if fine else 0, f"first {first[0]} ready and {first[1]} waiting, then {good} ready"
        )


def read_only_with_ffmpeg(folder: Path) -> Outcome:
    """The same songs by one ffmpeg process each: what failed has to be begun again by hand."""
    done = 0
    for name in ("rock", "jazz"):
        place = folder / name
        place.mkdir()
        for number in range(5):
            song(place / f"{number}.flac", number)
    _mount("--bind", str(folder / "rock"), str(folder / "rock"))
    _mount("-o", "remount,ro,bind", str(folder / "rock"))
    for path in sorted(folder.glob("*/*.flac")):
        call = ["ffmpeg", "-v", "quiet", "-nostdin", "-y", "-i", str(path), str(path.with_suffix(".wav"))]
        done += subprocess.run(call, check=False).returncode == 0
    _mount("-o", "remount,rw,bind", str(folder / "rock"))
    return Outcome(10, done, "tried once")


def plain_database_on_a_read_only_disk(folder: Path) -> Outcome:
    """What a person sees of a program that opens its SQLite file there without a thought."""
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE a (b)')"
    _mount("--bind", str(folder), str(folder))
    _mount("-o", "remount,ro,bind", str(folder))
    call = [sys.executable, "-c", code, str(folder / "ledger.db")]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    said = "Traceback" not in done.stderr
    return Outcome(1, int(said), done.stderr.strip().splitlines()[-1])


def read_only_library(folder: Path) -> Outcome:
    """A whole library that may not be written to: each command says so and ends."""
    root = folder / "library"
    create_library(root).close()
    _mount("--bind", str(root), str(root))
    _mount("-o", "remount,ro,bind", str(root))
    good = 0
    calls = (["watch", "--once"], ["watch"], ["status"], ["retry", "--all"])
    for words in calls:
        call = [sys.executable, "-m", "assistant.cli", "--library", str(root), *words]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
        said = "may write to the folder" in done.stderr and "Traceback" not in done.stderr
        good += done.returncode == 1 and said
    return Outcome(len(calls), good)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def _until(condition: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


if __name__ == "__main__":
    scenarios = {
        "full": full,
        "full, ffmpeg": ffmpeg,
        "read-only": read_only,
        "read-only, ffmpeg": read_only_with_ffmpeg,
        "library": read_only_library,
        "library, plain": plain_database_on_a_read_only_disk,
    }
    scenario = scenarios[sys.argv[1]]
    print(json.dumps(asdict(scenario(Path(sys.argv[2])))))
