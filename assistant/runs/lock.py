"""Locks that the kernel lets go when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from assistant.runs.process import host_name


class ProcessLock:
    """A file held by at most one process. `note` is for whoever finds it held.

    POSIX locks, because a forked child does not share them: a data loader that outlives its
    run does not keep the device.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, note: dict[str, Any] | None = None) -> bool:
        """Take the lock if it is free; whether it is ours now."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note or {}).encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let it go."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def note(self) -> dict[str, Any]:
        """What the holder wrote; empty where nobody did."""
        try:
            value = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def __enter__(self) -> ProcessLock:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.release()


def run_lock(folder: Path) -> ProcessLock:
    """Held by the one process of a run."""
    return ProcessLock(folder / "lock")


def device_lock(device: str) -> ProcessLock:
    """Held by what computes on this device of this machine, a run in whatever library or the engine."""
    return ProcessLock(_lock_folder() / f"{_file_name(device)}.lock")


def device_wish(device: str) -> ProcessLock:
    """Held by the run that waits for this device; the engine, which only keeps a model there, then leaves."""
    return ProcessLock(_lock_folder() / f"{_file_name(device)}.wish")


def _file_name(device: str) -> str:
    return re.sub(r"[^\w.-]", "-", f"{host_name()}-{device}")


def _lock_folder() -> Path:
    # Not the runtime folder: it is removed at logout, and a removed file locks nobody out.
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    for folder in (Path(state) / "musichelper", Path(tempfile.gettempdir()) / f"musichelper-{os.getuid()}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
            return folder
    return Path(tempfile.mkdtemp(prefix="musichelper-"))
