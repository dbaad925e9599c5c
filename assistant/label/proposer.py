"""Proposals for tracks that come in while a classifier is there already."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from assistant.classify.predict import propose
from assistant.classify.store import current_version
from assistant.config import Settings
from assistant.errors import MusicHelperError
from assistant.label.learning import learn
from assistant.library.library import Library

QUIET_SECONDS = 5.0
"""Files often come in groups, and each start of the classifier costs seconds."""


def propose_for_new(library: Library) -> int:
    """Propose a genre for each track that wants one; returns how many are new, 0 without a classifier.

    Where the person has decided often enough, the classifier learns from that first.
    """
    if current_version(library) is None:
        return 0
    return learn(library) or propose(library)


class Proposer:
    """Proposes in the background once no track has come for a while.

    `on_proposed` and `on_error` are called in the background thread.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        on_proposed: Callable[[int], None],
        on_error: Callable[[MusicHelperError], None],
    ) -> None:
        self._root, self._settings = root, settings
        self._on_proposed, self._on_error = on_proposed, on_error
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="proposer", daemon=True)
        self._thread.start()

    def note(self) -> None:
        """A track became ready, or the person decided."""
        self._news.set()

    def close(self) -> None:
        """Begin nothing more."""
        self._closing.set()
        self._news.set()

    def _work(self) -> None:
        while True:
            self._news.wait()
            while self._news.is_set() and not self._closing.is_set():
                self._news.clear()
                self._closing.wait(QUIET_SECONDS)
            if self._closing.is_set():
                return
            try:
                with Library(self._root, self._settings) as library:
                    proposed = propose_for_new(library)
            except MusicHelperError as error:
                self._on_error(error)
                continue
            if proposed:
                self._on_proposed(proposed)
