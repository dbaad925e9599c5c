"""Hostile files, done to the real intake."""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from assistant.audio.guard import ConversionFailed, Decoders
from assistant.config import IntakeSettings
from assistant.intake.pipeline import run_once
from tests.bench import hostile
from tests.bench.fault_library import (
    made_library,
    song,
)
from tests.bench.fault_scenarios import Outcome
from tests.bench.hostile import bomb, mutated, seeds
from tests.made_sounds import tone, write


def _listing(folder: Path, *without: Path) -> list[tuple[str, int]]:
    return sorted(
        (str(path), path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file() and not any(path.is_relative_to(other) for other in without)
    )


def mutated_files(count: int, seconds: float = 60.0) -> Outcome:
    """Damaged files from whole ones of each format, through the pool of decoders."""
    settings = IntakeSettings(workers=2, max_minutes=1.0)
    outcomes = Counter[str]()
    slowest = 0.0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        originals = seeds(folder / "seeds")
        inside, outside = folder / "in", folder / "out"
        inside.mkdir()
        outside.mkdir()
        before = _listing(folder, inside, outside)

        def one(number: int) -> tuple[str, float]:
            source = originals[number % len(originals)]
            path = inside / f"{number}{source.suffix}"
            path.write_bytes(mutated(source.read_bytes(), random.Random(number)))
            started = time.monotonic()
            try:
                decoders.convert(path, outside / f"{number}.wav")
                kind = "converted"
                (outside / f"{number}.wav").unlink()
            except ConversionFailed as error:
                kind = "named" if error.permanent else "passing"
                if "broke down" in error.title:
                    kind = f"crash of a decoder on {source.name}"
            except Exception as error:
                kind = f"{type(error).__name__} in the parent"
            path.unlink()
            return kind, time.monotonic() - started

        with Decoders(settings) as decoders, ThreadPoolExecutor(2) as threads:
            for kind, took in threads.map(one, range(count)):
                outcomes[kind] += 1
                slowest = max(slowest, took)
        stray = len(list(outside.iterdir())) + (before != _listing(folder, inside, outside))
    good = sum(n for kind, n in outcomes.items() if not kind.endswith(("passing", "parent")))
    words = ", ".join(f"{number} {kind}" for kind, number in outcomes.most_common())
    return Outcome(
        count,
        good if stray == 0 and slowest < seconds else 0,
        f"{words}; slowest {slowest:.1f} s, {stray} stray files",
    )


def endless_midi() -> Outcome:
    """A few bytes of MIDI that last 142 years."""
    data = hostile.endless_midi()
    return _refused({"a.mid": data}, f"{len(data)} bytes")


def flac_bomb(hours: float = 6.0) -> Outcome:
    """A small FLAC of many hours of silence, as it is and as a stream that does not tell its length."""
    data = bomb(hours)
    unknown = bytearray(data)
    unknown[21] &= 0xF0
    unknown[22:26] = b"\0\0\0\0"
    return _refused(
        {"a.flac": data, "b.flac": bytes(unknown)}, f"{len(data) / 1e6:.1f} MB, {hours * 0.635:.1f} GB as WAV"
    )


def _refused(files: dict[str, bytes], words: str) -> Outcome:
    with made_library() as library:
        for name, data in files.items():
            (library.root / "rock" / name).write_bytes(data)
        song(library.root / "rock/good.flac", 0)
        started = time.monotonic()
        events = list(run_once(library))
        took = time.monotonic() - started
        failed = sorted(event.path for event in events if event.event == "failed" and event.reason)
        ready = [event.path for event in events if event.event == "ready"]
        fine = ready == ["rock/good.flac"] and not list(library.root.rglob("*.tmp"))
        found = sum(f"rock/{name}" in failed for name in files) if fine else 0
        return Outcome(len(files), found, f"{words}, refused in {took:.1f} s")


PLAYLISTS = {
    "concat.mp3": "ffconcat version 1.0\nfile '{bait}'\n",
    "hls.mp3": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{bait}\n#EXT-X-ENDLIST\n",
    "mid.wav": "#EXTM3U\nfile://{bait}\n",
    "sdp.mp3": "v=0\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n",
    "dash.m4a": '<?xml version="1.0"?><MPD><BaseURL>{bait}</BaseURL></MPD>',
    "pls.ogg": "[playlist]\nFile1={bait}\nNumberOfEntries=1\n",
    "later.mp3": "\n\n  ffconcat version 1.0\nfile '{bait}'\n",
}


def disguised_playlists() -> Outcome:
    """Playlists under names of music: none of the files that they name is opened."""
    with made_library() as library, bait() as (path, opened):
        for name, text in PLAYLISTS.items():
            (library.root / "rock" / name).write_text(text.format(bait=path, port=5004))
        events = list(run_once(library))
        failed = sum(event.event == "failed" and bool(event.hint) for event in events)
        time.sleep(0.3)
        return Outcome(
            len(PLAYLISTS), failed if not opened() else 0, f"foreign files opened: {opened()} times"
        )


def disguised_playlists_with_ffmpeg() -> Outcome:
    """The same through ffmpeg as it is called by most programs."""
    good = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, bait() as (path, opened):
        for name, text in PLAYLISTS.items():
            if name.startswith("sdp"):
                good += 1  # it would wait for packets
                continue
            source = Path(folder, name)
            source.write_text(text.format(bait=path, port=5004))
            before = opened()
            call = ["ffmpeg", "-v", "quiet", "-nostdin", "-safe", "0", "-y", "-i", str(source)]
            subprocess.run([*call, f"{source}.wav"], check=False, timeout=30)
            time.sleep(0.3)
            good += opened() == before
    return Outcome(len(PLAYLISTS), good)


@contextmanager
def bait() -> Iterator[tuple[Path, Callable[[], int]]]:
    """A WAV that nothing may open, and the number of times that something did."""
    from watchdog.events import FileOpenedEvent, FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    count = Counter[str]()

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            count["opened"] += isinstance(event, FileOpenedEvent)

    with tempfile.TemporaryDirectory(prefix="bait-") as folder:
        path = write(Path(folder, "secret.wav"), tone(3.0))
        observer = Observer()
        observer.schedule(Handler(), folder)
        observer.start()
        try:
            yield path, lambda: count["opened"]
        finally:
            observer.stop()
            observer.join()


def odd_entries() -> Outcome:
    """What has a music file's name and is none: named, and never waited for."""
    with made_library() as library:
        hostile.odd_entries(library.root / "rock")
        events = list(run_once(library))
        failed = {event.path for event in events if event.event == "failed" and event.reason and event.hint}
        good = sum(event.event == "ready" for event in events)
        return Outcome(8, len(failed) + good, f"{len(failed)} named, {good} ready")


def bad_among_good(bad: int, good: int) -> Outcome:
    """Bad files among good ones: each good one ready, each bad one set aside after three attempts."""
    with made_library() as library:
        hostile.bad_among_good(library.root, bad, good)
        for _attempt in range(4):
            list(run_once(library))
            for track in library.ledger.tracks(state="failed"):
                if track.retry_at is not None:
                    library.ledger.update_track(track.id, retry_at=time.time())
        ready = len(library.ledger.tracks(state="ready"))
        aside = [
            track
            for track in library.ledger.tracks(state="failed")
            if track.attempts == 3 and track.retry_at is None
        ]
        lines = library.paths.quarantine.read_text("utf-8").splitlines()
        found = ready + len(aside)
        return Outcome(bad + good, found if len(lines) == bad else 0, f"{ready} ready, {len(aside)} aside")
