"""The watcher's account of itself, for other processes to show."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from assistant.files import write_json
from assistant.intake.lock import holder, is_held
from assistant.library.library import Library

_STATE_FILE = "watch.json"
_LOOK_SECONDS = 0.5
_WORK_SECONDS = 5.0


def watch_state(library: Library) -> dict[str, Any]:
    """What the watcher last wrote; only `running` is there where none ever ran.

    `running` and `pid`; `backend` ("inotify" or "scan"), `watches` of `watch_limit`, `folders`, `blind`
    folders; `last_scan` (Unix time), `scans`, `scan_took` in seconds, `found_by_last_scan`; `missed` (files
    that scans found and notices did not tell of), `overflows`, `rebuilds`, `canary`; `working`, `counts`;
    `note` and `hint` say what is wrong, and `trouble` that the folder itself is away.
    """
    away = _read_away(library)
    if away is not None:
        return {**away, "running": True}
    running = is_held(library)
    try:
        state = json.loads((library.paths.state / _STATE_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        state = {}
    if running:
        state["pid"] = holder(library)
    return {**state, "running": running}


class WatchState:
    """Writes the account: where something changed, and seldom."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._path = library.paths.state / _STATE_FILE
        self._written = 0.0
        self._last: dict[str, Any] = {}
        self._work: dict[str, Any] = {}
        self._away: int | None = None
        self._values: dict[str, Any] = {
            "pid": os.getpid(),
            "started": time.time(),
            "last_scan": None,
            "scans": 0,
            "scan_took": 0.0,
            "found_by_last_scan": 0,
        }

    def scanned(self, found: int, seconds: float) -> None:
        """A scan of the whole folder ended."""
        self._values |= {
            "last_scan": time.time(),
            "scans": self._values["scans"] + 1,
            "scan_took": round(seconds, 3),
            "found_by_last_scan": found,
        }

    def due(self) -> bool:
        """Whether it is time to see if something changed."""
        return time.monotonic() - self._written >= _LOOK_SECONDS

    def write(self, values: dict[str, Any], work: dict[str, Any]) -> None:
        """Write what changed, at once; of the work going on, only now and then.

        A disk that refuses ends nothing.
        """
        whole = self._values | values | {"busy": bool(work["working"])}
        if whole == self._last and (work == self._work or time.monotonic() - self._written < _WORK_SECONDS):
            return
        self._last, self._work = whole, work
        self._put(whole | work)

    def ended(self) -> None:
        """The watcher leaves."""
        self._put({**self._last, **self._values, **self._work, "working": [], "ended": time.time()})

    def _put(self, whole: dict[str, Any]) -> None:
        self._written = time.monotonic()
        with contextlib.suppress(OSError):
            write_json(self._path, whole)

    def away(self, reason: str, hint: str) -> None:
        """The folder is not there, so that its own state folder cannot say so."""
        path = _away_path(self._library)
        with contextlib.suppress(OSError):
            if self._away is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._away = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._away, fcntl.LOCK_EX | fcntl.LOCK_NB)
            values = self._values | {"backend": "none", "note": reason, "hint": hint, "trouble": reason}
            data = json.dumps(values | {"working": []}).encode()
            os.ftruncate(self._away, 0)
            os.pwrite(self._away, data, 0)

    def back(self) -> None:
        """The folder is there again."""
        if self._away is not None:
            with contextlib.suppress(OSError):
                _away_path(self._library).unlink(missing_ok=True)
            os.close(self._away)
            self._away = None


def _away_path(library: Library) -> Path:
    """Outside the library: where it is said that its folder is away."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    if not os.access(Path(state).parent, os.W_OK) and not Path(state).is_dir():
        state = Path(tempfile.gettempdir()) / f"musichelper-{os.getuid()}"
    name = hashlib.blake2b(os.fsencode(library.root), digest_size=8).hexdigest()
    return Path(state) / "musichelper" / f"away-{name}.json"


def _read_away(library: Library) -> dict[str, Any] | None:
    """What a watcher says whose folder is away; None where none does."""
    try:
        descriptor = os.open(_away_path(library), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            state = json.loads(os.read(descriptor, 1 << 20))
            return state if isinstance(state, dict) else None
    finally:
        os.close(descriptor)
    return None
