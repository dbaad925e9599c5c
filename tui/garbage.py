"""Looking for garbage when nobody waits for a key: in a long list a search takes longer than a key may."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

QUIET_SECONDS, LONG_QUIET_SECONDS = 0.7, 10.0
"""So long after a key the next one is not expected at once; or not for a while."""
AWAY_SECONDS = 300.0
"""So long after a key nobody is there: time for the one search that looks into long lists too."""
FEW, MANY = 2_000, 200_000
"""New objects: not worth a search, and so many that somebody reads a long list."""
SEARCHES_UNTIL_ALL = 60


class GarbageCollector:
    """Does nothing until `begin`: outside the app Python looks for itself."""

    def __init__(self) -> None:
        self._begun = False
        self._lock = threading.Lock()
        self._reading = 0
        self._searches = 0
        self._searched_all = False

    def begin(self) -> None:
        """From now on search in quiet moments only; what there is already stays for good."""
        gc.freeze()
        gc.disable()
        self._begun = True

    def poll(self, seconds_without_key: float) -> None:
        """Search where this is a quiet moment and there is something new; to be called now and then."""
        if not self._begun or self._reading:
            return
        away = seconds_without_key > AWAY_SECONDS
        if away and not self._searched_all:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        self._searched_all = away
        new = gc.get_count()[0]
        if new < FEW:
            return
        if new > MANY:
            gc.freeze()
        elif seconds_without_key > LONG_QUIET_SECONDS and self._searches > SEARCHES_UNTIL_ALL:
            self._searches = 0
            gc.collect()
        elif seconds_without_key > QUIET_SECONDS:
            self._searches += 1
            gc.collect(0)

    @contextmanager
    def long_list(self) -> Iterator[None]:
        """While a long list is being read nothing is searched, and later not in it."""
        with self._lock:
            self._reading += 1
        try:
            yield
        finally:
            if self._begun:
                gc.freeze()
            with self._lock:
                self._reading -= 1
