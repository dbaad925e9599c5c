"""A watcher, ours or bare watchdog, in a process of its own, for the scenarios of faults."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from assistant.intake.watch import watch_state
from assistant.library.library import Library, create_library

CHECKOUT = Path(__file__).parents[2]
FILES = 100

# The watcher's own process: arguments are the library, seconds between scans, what to do at first, and what
# to do with what is found ("convert" or "ledger").
WATCHER = """
import json, os, signal, sys, threading
from pathlib import Path
from assistant.config import IntakeSettings, Settings
from assistant.intake import watch as watching
from assistant.library.library import Library
root, seconds, first, convert = sys.argv[1:]
exec(first)
if convert == "ledger":
    class Idle(watching.Engine):
        def look(self): pass
        def fill(self): return iter(())
    watching.Engine = Idle
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_arguments: stop.set())
intake = IntakeSettings(quiet_seconds=1.0, patience_seconds=10.0, scan_seconds=float(seconds))
settings = Settings(intake=intake)
with Library(Path(root), settings) as library:
    for event in watching.watch(library, stop):
        if event.event in ("ready", "failed", "paused", "resumed"):
            print(json.dumps(event.as_dict()), flush=True)
"""

# Bare watchdog: counts the files that it tells of, until the process is ended.
BARE = """
import os, signal, sys, threading
from watchdog.observers import Observer
from watchdog.events import *
import warnings
warnings.simplefilter("ignore")
root, out = sys.argv[1:3]
seen = set()
class Handler(FileSystemEventHandler):
    def on_any_event(self, event):
        for path in (event.src_path, event.dest_path):
            if path and not event.is_directory:
                seen.add(os.fsencode(path))
observer = Observer()
observer.schedule(Handler(), root, recursive=True, event_filter=[
    FileCreatedEvent, FileMovedEvent, FileClosedEvent, FileDeletedEvent,
    DirCreatedEvent, DirMovedEvent, DirDeletedEvent])
observer.start()
exec(sys.argv[3] if len(sys.argv) > 3 else "")
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_arguments: stop.set())
open(out, "wb").close()
stop.wait()
open(out, "wb").write(b"\\0".join(seen))
os._exit(0)
"""


class Watcher:
    """A watcher in a process of its own."""

    def __init__(
        self,
        root: Path,
        *,
        scan_seconds: float = 60.0,
        first: str = "",
        convert: bool = True,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        arguments = [str(root), str(scan_seconds), first, "convert" if convert else "ledger"]
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", WATCHER, *arguments],
            stdout=self._log,
            stderr=subprocess.DEVNULL,
            cwd=CHECKOUT,
        )

    def state(self) -> dict[str, Any]:
        with Library(self.root) as library:
            return watch_state(library)

    def events(self) -> list[dict[str, Any]]:
        text = os.pread(self._log.fileno(), 1 << 28, 0).decode()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def ready(self) -> Counter[str]:
        return Counter(event["path"] for event in self.events() if event["event"] == "ready")

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder on a real disk, resolved."""
    path = Path(tempfile.mkdtemp(prefix="faults-")).resolve()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def watcher(root: Path, **how: Any) -> Iterator[Watcher]:
    """A watcher that has scanned for the first time."""
    found = Watcher(root, **how)
    try:
        wait(lambda: found.state().get("canary") == "ok" or found.state().get("blind"), 30)
        yield found
    finally:
        found.end()


def wait(condition: Callable[[], Any], seconds: float) -> bool:
    """Whether it held within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def library_at(root: Path) -> Path:
    """A new library."""
    create_library(root).close()
    return root


def sounds(place: Path, count: int = FILES) -> list[Path]:
    """Short WAVs, no two alike."""
    place.mkdir(parents=True, exist_ok=True)
    moments = np.arange(round(0.2 * 8000)) / 8000
    made = []
    for number in range(count):
        path = place / f"{number:03d}.wav"
        soundfile.write(path, 0.2 * np.sin(2 * np.pi * (200 + number) * moments), 8000)
        made.append(path)
    return made


@contextmanager
def bare(
    place: Path, first: str = ""
) -> Iterator[tuple[subprocess.Popen[bytes], Path, Callable[[], set[bytes]]]]:
    """Bare watchdog on a folder below `place`; the function ends it and gives the paths it told of."""
    root, out = place / "tree", place / "seen"
    root.mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", BARE, root, out, first], stderr=subprocess.DEVNULL)
    wait(out.exists, 20)

    def seen() -> set[bytes]:
        process.terminate()
        process.wait(20)
        return {path for path in out.read_bytes().split(b"\0") if path}

    try:
        yield process, root, seen
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
