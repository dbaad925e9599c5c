"""The watcher's thread and what it last said; the newest events win when nobody looks."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.config import Settings
from assistant.errors import MusicHelperError
from assistant.library.library import Library
from tui.messages import IntakeChanged

if TYPE_CHECKING:
    from textual.app import App

    from assistant.label.proposer import Proposer

EVENTS_KEPT = 200
TELL_SECONDS = 0.5
RETRY_SECONDS = 15.0


class IntakeFeed:
    """Watches the library as long as the app lives, or waits its turn while somebody else does."""

    def __init__(self, app: App[Any], root: Path, settings: Settings) -> None:
        self._app = app
        self._root = root
        self._settings = settings
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._proposer: Proposer | None = None
        self._told = 0.0
        self.state = "starting"
        """`starting`, `watching`, `paused` (the folder or its disk is not ready), `elsewhere` (another
        process does it) or `unwatched` (after an error)."""
        self.problem: tuple[str, str] = ("", "")
        """Title and hint of why this app does not watch."""
        self.working: str = ""
        """The file in work now."""
        self.events: deque[tuple[float, str, str]] = deque(maxlen=EVENTS_KEPT)
        """Unix time, event and path."""
        self.ready = 0
        self.failed = 0

    def start(self) -> None:
        """Begin in a thread of its own; it never holds up the end of the app."""
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """Ask the watcher to leave, and give it a moment for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def decided(self) -> None:
        """The person decided: the classifier may have something to learn."""
        if self._proposer is not None:
            self._proposer.note()

    def learn(self, watch: dict[str, Any]) -> None:
        """Take in what the ledger's folder says of the watcher."""
        if self.state == "paused":
            return  # the watcher's own words are newer
        if watch.get("running"):
            mine = watch.get("pid") == os.getpid() and not self.problem[0]
            self.state = "watching" if mine else "elsewhere"
        elif self.state in ("watching", "elsewhere"):
            self.state = "starting"

    def _watch(self) -> None:
        from assistant.intake.watch import watch, watch_state
        from assistant.label.decisions import Labeller
        from assistant.label.proposer import Proposer

        proposer = self._proposer = Proposer(
            self._root, self._settings, lambda _count: self._tell(now=True), self._proposing_failed
        )
        while not self._stop.is_set():
            with Library(self._root, self._settings) as library:
                try:
                    self.problem = ("", "")
                    Labeller(library).recover()
                    for event in watch(library, self._stop):
                        self._heed(event)
                        if event.event == "ready":
                            proposer.note()
                except MusicHelperError as error:
                    self.state = "elsewhere" if watch_state(library).get("running") else "unwatched"
                    self.problem = (error.title, error.hint)
                except Exception as error:  # the app shows it and tries again
                    self.state, self.problem = "unwatched", (f"{type(error).__name__}: {error}", "")
            self._tell(now=True)
            self._stop.wait(RETRY_SECONDS)
        proposer.close()

    def _proposing_failed(self, error: MusicHelperError) -> None:
        self.problem = (error.title, error.hint)
        self._tell(now=True)

    def _heed(self, event: Any) -> None:
        path = str(event.path or "")
        if event.event == "paused":
            self.state, self.problem = "paused", (event.reason, event.hint)
        elif self.state != "paused":
            self.state = "watching"
        elif event.event in ("resumed", "done"):
            self.state, self.problem = "watching", ("", "")
        self.working = path if event.event == "working" else ""
        if event.event in ("ready", "failed"):
            self.events.append((time.time(), event.event, path))
            self.ready += event.event == "ready"
            self.failed += event.event == "failed"
        self._tell(now=event.event in ("paused", "resumed"))

    def _tell(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self._app.post_message(IntakeChanged())
