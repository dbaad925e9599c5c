"""Whether a file is whole: nothing about it changed for a while."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

_Look = tuple[int, int, int, int]


class Settling:
    """Remembers from scan to scan how new and changed files looked."""

    def __init__(
        self,
        quiet: float,
        patience: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._quiet = quiet
        self._patience = patience
        self._monotonic = monotonic
        self._wall = wall
        self._looks: dict[Path, tuple[_Look, float, float]] = {}  # look, since when, first seen
        self._seen: set[Path] = set()
        self._told: set[Path] = set()

    @property
    def waiting(self) -> Collection[Path]:
        """The files that are not yet whole."""
        return self._looks.keys()

    def begin(self) -> None:
        """A scan begins; files that it does not meet are forgotten."""
        self._looks = {path: look for path, look in self._looks.items() if path in self._seen}
        self._told &= self._seen
        self._seen = set()

    def hold(self, path: Path, stat: os.stat_result) -> bool:
        """Whether to leave the file alone this time."""
        self._seen.add(path)
        now = self._monotonic()
        look = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        before = self._looks.get(path)
        if before is None or before[0] != look:
            first = now if before is None else before[2]
            self._looks[path] = (look, now, first)
            # ctime tells when the file last changed in any way, also for a copy that keeps its mtime.
            age = self._wall() - stat.st_ctime
            if before is not None or not age >= self._quiet or stat.st_size == 0:
                return True
        # A browser puts an empty file where a download will be.
        elif (stat.st_size == 0 and now - before[2] < self._patience) or now - before[1] < self._quiet:
            return True
        del self._looks[path]
        return False

    def impatient(self) -> Iterator[Path]:
        """The files that have been changing for longer than one is patient; each is told once."""
        now = self._monotonic()
        for path, (_look, _since, first) in self._looks.items():
            if now - first >= self._patience and path not in self._told:
                self._told.add(path)
                yield path
