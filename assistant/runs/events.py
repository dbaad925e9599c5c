"""A run's diary: JSON lines, only ever appended, read by anyone at any time."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

EVENTS_NAME = "events.jsonl"


class EventLog:
    """The writing side; one process a run. A full disk costs events, never the run."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(
            folder / EVENTS_NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
        size = os.fstat(self._descriptor).st_size
        self._torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        self.lost = 0
        """Events that could not be written."""

    def append(self, event: dict[str, Any]) -> None:
        """Write one event with the present time; numbers that are not finite become null."""
        line = json.dumps(_plain({"time": round(time.time(), 3), **event}), ensure_ascii=False) + "\n"
        data = (b"\n" if self._torn else b"") + line.encode("utf-8", "backslashreplace")
        try:
            written = os.write(self._descriptor, data)
        except OSError:
            self.lost += 1
            return
        self._torn = written < len(data)
        self.lost += self._torn

    def close(self) -> None:
        """Flush to the disk and close."""
        try:
            os.fsync(self._descriptor)
        except OSError:
            self.lost += 1
        finally:
            os.close(self._descriptor)


def read_events(folder: Path, since_byte: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events after a place in the file, and the place to go on from next time.

    A last line that is not whole yet is left for the next call; a torn line inside is passed over.
    """
    try:
        with (folder / EVENTS_NAME).open("rb") as file:
            file.seek(since_byte)
            data = file.read()
    except FileNotFoundError:
        return [], since_byte
    end = data.rfind(b"\n") + 1
    events = []
    for line in data[:end].splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events, since_byte + end


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (str, int)) or value is None:
        return value
    # A numpy or torch scalar knows its plain value; anything else is told in words.
    item = getattr(value, "item", None)
    return _plain(item()) if callable(item) else str(value)
