"""The system's notices of changes in a folder, boiled down to: look, something happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

_LATE_SECONDS = 3.0


class Notices:
    """Collects notices from any thread until the watcher looks.

    `ours` are paths below the root that we write ourselves; `canary` is the file whose notice only
    shows that notices arrive.
    """

    def __init__(
        self,
        canary: Path,
        ours: Collection[Path],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._canary = str(canary)
        self._ours = ours
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.Lock()
        self._first: float | None = None
        self._last = 0.0
        self._paths: set[str] = set()  # told since the last scan began
        self._before: set[str] = set()  # told before that, of files that were not yet whole then
        self._suspects: dict[str, float] = {}
        self._since: float | None = None
        self.overflows = 0
        """How often the system lost notices because they came too fast."""
        self.missed = 0
        """Files that came while all was watched, were found by a scan, and never told of."""
        self.last_of_all = 0.0
        """When the last notice came of anything, by the monotonic clock."""
        self.canary_seen = 0.0
        """When the last notice of the canary came."""

    def watching_since(self, moment: float | None) -> None:
        """New files are told of from this Unix time on, or from the one said before; None: not now."""
        with self._lock:
            self._since = moment if moment is None or self._since is None else self._since
            if moment is None:
                self._suspects.clear()

    def tell(self, path: str) -> None:
        """Something happened at a path relative to the root."""
        now = self._monotonic()
        with self._lock:
            self.last_of_all = now
            if path == self._canary:
                self.canary_seen = now
            elif _matters(path) and Path(path) not in self._ours:
                self._paths.add(path)
                self._suspects.pop(path, None)
                self._first = now if self._first is None else self._first
                self._last = now

    def overflowed(self) -> None:
        """The system says that notices were lost."""
        now = self._monotonic()
        with self._lock:
            self.overflows += 1
            self._first = now if self._first is None else self._first
            self._last = now

    def due(self, now: float, quiet: float, patience: float) -> bool:
        """Whether it has been quiet for long enough since the last notice, or noisy for too long."""
        with self._lock:
            if self._first is None:
                return False
            return now - self._last >= quiet or now - self._first >= patience

    def scan_begins(self, waiting: Collection[Path]) -> None:
        """Forget the notices, but for those of files that were not yet whole at the last scan."""
        names = {str(path) for path in waiting}
        with self._lock:
            self._first = None
            self._before = self._paths | (self._before & names)
            self._paths = set()

    def scan_found(self, arrived: Iterable[tuple[Path, float]]) -> None:
        """Keep in mind which of the files that a scan found (path and ctime) were not told of."""
        now = self._monotonic()
        with self._lock:
            since = self._since
            if since is None:
                return
            for path, changed in arrived:
                name = str(path)
                if changed >= since and name not in self._paths and name not in self._before:
                    self._suspects[name] = now

    def settle(self) -> int:
        """Count the files whose notice has not come late either; returns how many are new."""
        with self._lock:
            if not self._suspects:
                return 0
            limit = self._monotonic() - _LATE_SECONDS
            late = [name for name, moment in self._suspects.items() if moment <= limit]
            for name in late:
                del self._suspects[name]
            self.missed += len(late)
            return len(late)


def _matters(path: str) -> bool:
    """Whether music could be at the path: not for hidden files and folders, nor for what we write."""
    hidden = path.startswith(".") or "/." in path
    return bool(path) and not hidden and not path.endswith((".txt", ".json"))
