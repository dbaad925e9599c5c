"""What a job sees of its run: its orders, its voice, and the requests made to it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from assistant.config import Settings
from assistant.library.library import Library
from assistant.runs.control import Requests
from assistant.runs.events import EventLog
from assistant.runs.record import HEARTBEAT_SECONDS, RunRecord, write_record

SETTINGS_NAME = "settings.json"

_TICK_SECONDS = 1.0
_HOLD_SECONDS = 0.2
_LAST_WORD_ATTEMPTS = 10


class RunStopped(Exception):
    """Raised by a job that has nothing to save, when it was asked to stop."""


class RecordKeeper:
    """Keeps `run.json` true from a thread of its own, so that the job never waits for the disk."""

    def __init__(self, folder: Path, record: RunRecord) -> None:
        self._folder = folder
        self._record = record
        self._lock = threading.Lock()
        self._changed = True
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def record(self) -> RunRecord:
        """The record as it is now."""
        return self._record

    def start(self) -> None:
        """Write it, and go on writing it."""
        self._write()
        self._thread.start()

    def update(self, *, now: bool = False, **values: Any) -> None:
        """Change fields; `now` also writes them before returning."""
        with self._lock:
            self._record = replace(self._record, **values)
            self._changed = True
        if now:
            self._write()

    def close(self) -> None:
        """Write the last state, patiently: the disk may be full for a moment."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        for _attempt in range(_LAST_WORD_ATTEMPTS):
            if self._write():
                return
            time.sleep(_TICK_SECONDS)

    def _beat(self) -> None:
        written = time.monotonic()
        while not self._closing.wait(_TICK_SECONDS):
            if (self._changed or time.monotonic() - written >= HEARTBEAT_SECONDS) and self._write():
                written = time.monotonic()

    def _write(self) -> bool:
        with self._lock:
            self._record = replace(self._record, heartbeat=time.time())
            try:
                write_record(self._folder, self._record)
            except OSError:
                return False
            self._changed = False
            return True


class RunContext:
    """Given to a job. Its job calls `emit` for all it has to say and `control` at every step."""

    def __init__(self, folder: Path, keeper: RecordKeeper, events: EventLog) -> None:
        self.folder = folder
        self.library_root = folder.parent.parent.parent
        self.end: dict[str, Any] | None = None
        """The job's own last event, once it came."""
        self._keeper = keeper
        self._events = events
        self._requests = Requests(folder)
        self._stop = False
        self._save = False
        self._pause = False

    @property
    def record(self) -> RunRecord:
        """The run's record as it is now."""
        return self._keeper.record

    @property
    def spec(self) -> dict[str, Any]:
        """What is to be done."""
        return self.record.spec

    def library(self) -> Library:
        """The library, with the settings of whoever started the run."""
        return Library(self.library_root, read_settings(self.folder))

    def stop(self) -> None:
        """Ask the job to save and leave; safe in a signal handler."""
        self._stop = True

    @property
    def stopping(self) -> bool:
        """Whether it was asked to leave."""
        return self._stop

    def control(self) -> str | None:
        """What the job is to do now: `stop`, `save` (told once), `pause` (until resumed), or nothing."""
        for word in self._requests.new():
            if word == "stop":
                self._stop = True
            elif word == "save":
                self._save = True
            else:
                self._pause = word == "pause"
        if self._stop:
            return "stop"
        if self._save:
            self._save = False
            return "save"
        return "pause" if self._pause else None

    def emit(self, event: dict[str, Any]) -> None:
        """Write an event down. After `paused` it returns when the run is resumed or stopped."""
        self._events.append(event)
        kind = event.get("event")
        numbers = {name: event[name] for name in ("step", "steps", "model") if event.get(name) is not None}
        if kind == "validation":
            numbers["valid_loss"] = event.get("valid_loss", event.get("loss"))
        else:
            numbers |= {name: event[name] for name in ("loss", "valid_loss") if event.get(name) is not None}
        self._keeper.update(**_plain_numbers(numbers))
        if kind == "end":
            self.end = event
        if kind == "paused":
            self._hold()

    def _hold(self) -> None:
        self._keeper.update(now=True, state="paused")
        while self.control() not in ("stop", None):
            time.sleep(_HOLD_SECONDS)
        if not self._stop:
            self._keeper.update(now=True, state="running")
            self._events.append({"event": "resumed", "step": self.record.step})


def write_settings(folder: Path, settings: Settings) -> None:
    """Keep the settings that a run was started with."""
    (folder / SETTINGS_NAME).write_bytes(msgspec.json.encode(settings))


def read_settings(folder: Path) -> Settings:
    """The settings that a run was started with, or the defaults."""
    try:
        return msgspec.json.decode((folder / SETTINGS_NAME).read_bytes(), type=Settings)
    except (OSError, msgspec.MsgspecError):
        return Settings()


def _plain_numbers(values: dict[str, Any]) -> dict[str, Any]:
    """Values that JSON can hold: a NaN loss is no number, and numpy's numbers are made Python's."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        item = getattr(value, "item", None)
        value = item() if callable(item) else value
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            continue
        plain[name] = value
    return plain
