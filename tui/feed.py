"""The watcher's process, and what it last said."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from assistant.config import Settings
from assistant.errors import MusicHelperError
from assistant.library.library import Library
from assistant.workers import Limits, Message, Worker
from tui.messages import IntakeChanged

if TYPE_CHECKING:
    from textual.app import App

    from assistant.label.proposer import Proposer

TELL_SECONDS = 0.5
RETRY_SECONDS = 15.0


class IntakeFeed:
    """Watches the library as long as the app lives, or waits its turn while somebody else does."""

    def __init__(self, app: App[Any], root: Path, settings: Settings) -> None:
        self._app = app
        self._root = root
        self._settings = settings
        self._stopping = False
        self._wake = threading.Event()
        # A scan of many files in a thread of the app would hold up its keys.
        self._worker = Worker("tui.watcher", limits=Limits(gives_way=True))
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

    def start(self) -> None:
        """Begin; it never holds up the end of the app."""
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """Ask the watcher to leave, and give it a moment for it."""
        self._stopping = True
        self.begin_again()
        if self._thread is not None:
            self._thread.join(seconds)
            self._worker.kill()

    def begin_again(self) -> None:
        """Watch anew, at once: in the language that is now in use."""
        self._wake.set()
        self._worker.cancel()

    def decided(self) -> None:
        """The person decided: the classifier may have something to learn."""
        if self._proposer is not None:
            self._proposer.note()

    def learn(self, watch: dict[str, Any]) -> None:
        """Take in what the ledger's folder says of the watcher."""
        if self.state == "paused":
            return  # the watcher's own words are newer
        if watch.get("running"):
            self.state = "watching" if watch.get("pid") == self._worker.pid else "elsewhere"
        elif self.state in ("watching", "elsewhere"):
            self.state = "starting"

    def _watch(self) -> None:
        from assistant.intake.watch import watch_state
        from assistant.label.proposer import Proposer

        proposer = self._proposer = Proposer(
            self._root, self._settings, lambda _count: self._tell(now=True), self._proposing_failed
        )
        request = {"root": str(self._root), "settings": msgspec.to_builtins(self._settings)}
        while not self._stopping:
            self.problem = ("", "")
            try:
                self._worker.call("take_in", request, on_event=self._heed)
            except MusicHelperError as error:
                with Library(self._root, self._settings) as library:
                    self.state = "elsewhere" if watch_state(library).get("running") else "unwatched"
                self.problem = (error.title, error.hint)
            except Exception as error:  # the app shows it and tries again
                self.state, self.problem = "unwatched", (f"{type(error).__name__}: {error}", "")
            self._tell(now=True)
            self._wake.wait(RETRY_SECONDS)
            self._wake.clear()
        proposer.close()

    def _proposing_failed(self, error: MusicHelperError) -> None:
        self.problem = (error.title, error.hint)
        self._tell(now=True)

    def _heed(self, event: Message) -> None:
        what = event["event"]
        if what == "paused":
            self.state, self.problem = "paused", (event["reason"], event["hint"])
        elif self.state != "paused":
            self.state = "watching"
        elif what in ("resumed", "done"):
            self.state, self.problem = "watching", ("", "")
        self.working = event["path"] if what == "working" else ""
        if what == "ready" and self._proposer is not None:
            self._proposer.note()
        self._tell(now=what in ("paused", "resumed"))

    def _tell(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self._app.post_message(IntakeChanged())
