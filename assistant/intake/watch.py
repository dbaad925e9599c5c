"""Watching a folder: the system's notices make it quick, regular scans make it sure.

A notice only says that something happened; what is there to do is always found by scanning, so a
lost notice costs time and never a file.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistant.files import write_json
from assistant.i18n import _
from assistant.intake.engine import Engine, write_quarantine
from assistant.intake.events import IntakeEvent
from assistant.intake.lock import holder, intake_lock, is_held
from assistant.intake.settle import Settling
from assistant.library.library import Library
from assistant.library.scan import display_name, scan

__all__ = ["IntakeEvent", "watch", "watch_state"]

_TICK = 0.2
_STATE_SECONDS = 5.0
_STATE_FILE = "watch.json"
_WATCHDOG_LOGGER = "watchdog.observers.inotify_c"
_REMOTE_SYSTEMS = ("nfs", "cifs", "smb", "fuse", "9p", "sshfs", "afs", "ceph", "lustre")


def watch(library: Library, stop: threading.Event) -> Iterator[IntakeEvent]:
    """Take in files as they come, until `stop` is set; the last event is "done".

    Raises `MusicHelperError`, naming the process, where another one already does.
    """
    settings = library.settings.intake
    with intake_lock(library), Engine(library) as engine, _Notices(library, engine) as notices:
        settling = Settling(settings.quiet_seconds, settings.patience_seconds)
        state = _State(library, notices)
        known: set[int] = set()
        next_scan = 0.0
        while not stop.is_set():
            now = time.monotonic()
            if now >= next_scan or notices.due(now, settings.quiet_seconds, settings.patience_seconds):
                notices.clear()
                settling.begin()
                result = scan(library, hold=lambda path, stat: settling.hold(path, stat))
                took = time.monotonic() - now
                next_scan = now + max(settings.scan_seconds, 10 * took)
                if settling.waiting:
                    next_scan = min(next_scan, time.monotonic() + max(settings.quiet_seconds, 5 * took))
                engine.look()
                for track in library.ledger.tracks(state="waiting"):
                    if track.id not in known:
                        known.add(track.id)
                        yield IntakeEvent("found", display_name(track.path), track.id)
                for path in settling.impatient():
                    yield IntakeEvent(
                        "skipped", display_name(path), reason=_("It is still being written to.")
                    )
                state.scanned(result.added + result.changed + result.moved)
            yield from engine.fill()
            ended = list(engine.collect(0.0 if stop.is_set() else _TICK))
            known.difference_update(event.track for event in ended if event.track is not None)
            yield from ended
            if ended and engine.idle:
                write_quarantine(library)
            state.write(engine)
            if not ended and engine.idle:
                stop.wait(_TICK)
        counts = dict(engine.counts)
        state.ended()
    yield IntakeEvent("done", "", counts=counts)


def watch_state(library: Library) -> dict[str, Any]:
    """What the watcher last wrote: running, pid, backend, note, last_scan, working, counts.

    Only `running` is there where none ever ran.
    """
    running = is_held(library)
    try:
        state = json.loads((library.paths.state / _STATE_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        state = {}
    if running:
        state["pid"] = holder(library)
    return {**state, "running": running}


class _State:
    """The watcher's own account of itself, for other processes to show."""

    def __init__(self, library: Library, notices: _Notices) -> None:
        self._path = library.paths.state / _STATE_FILE
        self._written = 0.0
        self._busy = False
        self._values: dict[str, Any] = {
            "pid": os.getpid(),
            "started": time.time(),
            "backend": notices.backend,
            "note": notices.note,
            "last_scan": None,
            "scans": 0,
            "found_by_last_scan": 0,
        }

    def scanned(self, found: int) -> None:
        self._values |= {
            "last_scan": time.time(),
            "scans": self._values["scans"] + 1,
            "found_by_last_scan": found,
        }

    def write(self, engine: Engine) -> None:
        now = time.monotonic()
        # At once where work begins or ends, and now and then as a sign of life.
        if now - self._written < _STATE_SECONDS and self._busy == (not engine.idle):
            return
        self._written, self._busy = now, not engine.idle
        write_json(self._path, self._values | {"working": engine.working, "counts": engine.counts})

    def ended(self) -> None:
        write_json(self._path, self._values | {"working": [], "ended": time.time()})


class _Notices:
    """The system's notices of changes in the folder, boiled down to: something happened, since when."""

    def __init__(self, library: Library, engine: Engine) -> None:
        self._library = library
        self._engine = engine
        self._lock = threading.Lock()
        self._first: float | None = None
        self._last = 0.0
        self._observer: Any = None
        self.backend = "scan"
        self.note = ""

    def __enter__(self) -> _Notices:
        system = _file_system(self._library.root)
        if system.startswith(_REMOTE_SYSTEMS):
            self.note = _("The folder is on {system}, which sends no notices; it is looked at regularly.")
            self.note = self.note.format(system=system)
            return self
        try:
            self._observe()
            self.backend = "inotify"
        except OSError as error:
            self._end()
            self.note = _("The system's notices cannot be had ({reason}); the folder is looked at regularly.")
            self.note = self.note.format(reason=error.strerror)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end()

    def due(self, now: float, quiet: float, patience: float) -> bool:
        """Whether it has been quiet for long enough since the last notice, or noisy for too long."""
        with self._lock:
            if self._first is None:
                return False
            return now - self._last >= quiet or now - self._first >= patience

    def clear(self) -> None:
        """Forget the notices: a scan begins now."""
        with self._lock:
            self._first = None

    def note_change(self, path: str | None) -> None:
        """Something happened at a path (None: anywhere)."""
        if path is not None and not self._matters(path):
            return
        now = time.monotonic()
        with self._lock:
            self._first = now if self._first is None else self._first
            self._last = now

    def _matters(self, path: str) -> bool:
        try:
            relative = Path(path).relative_to(self._library.root)
        except ValueError:
            return False
        if any(part.startswith(".") for part in relative.parts):
            return False
        return relative.suffix not in (".txt", ".json") and relative not in self._engine.made

    def _observe(self) -> None:
        from watchdog.events import (
            DirCreatedEvent,
            DirDeletedEvent,
            DirMovedEvent,
            FileClosedEvent,
            FileCreatedEvent,
            FileDeletedEvent,
            FileMovedEvent,
            FileSystemEvent,
            FileSystemEventHandler,
        )
        from watchdog.observers import Observer

        note_change = self.note_change

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                note_change(os.fsdecode(event.src_path))
                if event.dest_path:
                    note_change(os.fsdecode(event.dest_path))

        self._overflow = _Overflow(lambda: note_change(None))
        logging.getLogger(_WATCHDOG_LOGGER).addHandler(self._overflow)
        self._observer = Observer()
        self._observer.schedule(
            Handler(),
            str(self._library.root),
            recursive=True,
            event_filter=[  # not opening and reading, which our own scans do
                FileCreatedEvent,
                FileMovedEvent,
                FileClosedEvent,
                FileDeletedEvent,
                DirCreatedEvent,
                DirMovedEvent,
                DirDeletedEvent,
            ],
        )
        self._observer.start()

    def _end(self) -> None:
        if self._observer is None:
            return
        logging.getLogger(_WATCHDOG_LOGGER).removeHandler(self._overflow)
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join(5.0)
        self._observer = None


class _Overflow(logging.Handler):
    """watchdog tells of lost notices only in its log."""

    def __init__(self, act: Any) -> None:
        super().__init__(logging.WARNING)
        self._act = act

    def emit(self, record: logging.LogRecord) -> None:
        self._act()


def _file_system(path: Path) -> str:
    """The type of the file system that a path is on, as Linux names it; empty where it cannot be told."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    best = ("", "")
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        if path.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, fields[2])
    return best[1]
