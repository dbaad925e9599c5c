"""A watcher in a thread of the test, and what it told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.config import IntakeSettings, Settings
from assistant.intake.events import IntakeEvent
from assistant.intake.watch import watch, watch_state
from assistant.library.library import Library

SETTINGS = Settings(intake=IntakeSettings(workers=1, quiet_seconds=0.5, patience_seconds=3, scan_seconds=600))


class Watching:
    """A watcher in a thread, and what it told."""

    def __init__(self, root: Path, settings: Settings = SETTINGS) -> None:
        self.events: list[IntakeEvent] = []
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(root, settings))
        self._thread.start()

    def _run(self, root: Path, settings: Settings) -> None:
        try:
            with Library(root, settings) as library:
                for event in watch(library, self.stop):
                    self.events.append(event)
        except BaseException as error:
            self.error = error

    def ready(self) -> list[str]:
        return sorted(event.path for event in self.events if event.event == "ready")

    def wait(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end and self._thread.is_alive():
            time.sleep(0.05)
        assert condition(), (self.events, self.error)

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()

    def end(self) -> None:
        self.stop.set()
        started = time.monotonic()
        self.join()
        assert time.monotonic() - started < 6


@contextmanager
def watching(library: Library, settings: Settings = SETTINGS) -> Iterator[Watching]:
    watcher = Watching(library.root, settings)
    try:
        watcher.wait(lambda: bool(watch_state(library).get("last_scan")) and watch_state(library)["running"])
        yield watcher
    finally:
        watcher.end()
