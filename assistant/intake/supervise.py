"""Keeping the notices honest: dead threads, lost folders, a canary; and saying what is wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from assistant.config import IntakeSettings
from assistant.i18n import _, ngettext
from assistant.intake.notices import Notices
from assistant.library import host
from assistant.library.library import STATE_FOLDER, Library

if TYPE_CHECKING:
    from assistant.intake.observer import FolderObserver

CANARY = f"{STATE_FOLDER}/canary"

_CANARY_EVERY = 3.0
_CANARY_PATIENCE = 5.0
_CANARY_BUSY = 60.0  # so long it may be late while other notices keep coming
_RECHECK_AFTER = 1.0
_REBUILD_WITHIN = 60.0  # observers that last for less than this are rebuilt ever more slowly
_REBUILD_SLOWEST = 30.0
_TRY_AGAIN = 300.0
_SCAN_SECONDS = 10.0
_WATCHES_WANTED = 65536
_SLEPT_SECONDS = 1.0


class Supervisor:
    """Owns the observer of one library and replaces it where it fails. Belongs to one thread.

    Call `tick` often and `scanned` after each scan; `scan_wanted` says that notices may have been lost.
    """

    def __init__(self, library: Library, notices: Notices, settings: IntakeSettings) -> None:
        self._root = library.root.resolve()  # a link to the folder would be watched instead of the folder
        self._notices = notices
        self._settings = settings
        self._observer: FolderObserver | None = None
        self._folders: Mapping[str, int] = {}
        self._recheck: tuple[float, set[str]] | None = None
        self._blind = 0
        self._tried = False  # a new observer did not see more than the one before
        self._try_again = 0.0
        self._built = 0.0
        self._wait = 0.0
        self._rebuild_at: float | None = None
        self._limit = 0
        self._watches = 0
        self._used = 0  # of the limit, by all programs
        self._exhausted = False
        self._reason = ""
        self._silent = host.silent_file_system(self._root)
        self._canary_touched: float | None = None
        self._canary_next = 0.0
        self._canary_misses = 0  # in a row
        self._suspended = host.suspended_seconds()
        self.canary: Literal["off", "waiting", "ok", "missed"] = "off"
        self.rebuilds = 0
        self.scan_wanted = False

    def __enter__(self) -> Supervisor:
        if not self._silent or host.file_system(self._root) != self._silent:
            self._build()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._drop()

    @property
    def backend(self) -> Literal["inotify", "scan"]:
        """What new files are found by: notices of all folders, or regular scans."""
        complete = self._observer is not None and self._rebuild_at is None and not self._blind
        return "inotify" if complete and not self._silent and self._canary_misses < 2 else "scan"

    @property
    def scan_seconds(self) -> float:
        """How often the whole folder is to be compared."""
        usual = self._settings.scan_seconds
        return usual if self.backend == "inotify" else min(usual, _SCAN_SECONDS)

    def state(self) -> dict[str, Any]:
        """What there is to show: backend, watches of the limit, folders, canary, rebuilds, note and hint."""
        note, hint = self._words()
        return {
            "backend": self.backend,
            "watches": self._watches,
            "watch_limit": self._limit or _watch_limit(),
            "folders": len(self._folders),
            "blind": self._blind,
            "rebuilds": self.rebuilds,
            "canary": self.canary,
            "note": note,
            "hint": hint,
        }

    def tick(self, now: float) -> None:
        """Look after the threads, the canary and a suspicion of before; scan after the machine has slept."""
        suspended = host.suspended_seconds()
        if suspended - self._suspended > _SLEPT_SECONDS:  # a disk of another machine's may have changed
            self.scan_wanted = True
        self._suspended = suspended
        if self._rebuild_at is not None and now >= self._rebuild_at:
            self._replace(now)
        if self._observer is None:
            if self._reason and (now >= self._try_again or _watch_limit() != self._limit):
                self._build()
            return
        if not self._observer.alive:
            self._rebuild(now)
            return
        if self._recheck is not None and now >= self._recheck[0]:
            self._look_again(now)
        self._mind_canary(now)

    def scanned(self, folders: Mapping[str, int], now: float) -> None:
        """A scan read these folders (path to inode): is each of them watched?"""
        self._folders = folders
        if self._observer is None or not self._observer.alive:
            return
        self._watches = len(self._observer.watches())
        blind = self._observer.blind(self._root, folders)
        if not blind:
            self._blind, self._tried, self._exhausted = 0, False, False
        elif self._recheck is None:
            # A folder that came just now may not have its watch yet.
            self._recheck = (now + _RECHECK_AFTER, blind)

    def distrust(self, now: float) -> None:
        """A file came without a notice though all seemed well."""
        if now - self._built >= _REBUILD_WITHIN:
            self._rebuild(now)

    def _build(self) -> None:
        from assistant.intake.observer import FolderObserver

        prefix = f"{self._root}/".replace("//", "/")
        notices = self._notices

        def tell(path: str) -> None:
            notices.tell(path.removeprefix(prefix) if path.startswith(prefix) else "")

        self._built = time.monotonic()
        self._limit = _watch_limit()
        self._recheck = None
        self._canary_touched, self._canary_next, self.canary = None, 0.0, "waiting"
        try:
            self._observer = FolderObserver(self._root, tell, notices.overflowed)
        except OSError as error:
            self._reason = error.strerror or str(error)
            self._try_again = self._built + _TRY_AGAIN
            self._exhausted = error.errno in (errno.ENOSPC, errno.EMFILE)
            self._used = host.inotify_use()[0] if self._exhausted else 0
            self._watches, self.canary = 0, "off"
            notices.watching_since(None)
            return
        self._reason = ""
        self._watches = len(self._observer.watches())
        notices.watching_since(time.time())
        self.scan_wanted = True

    def _drop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer = None

    def _rebuild(self, now: float) -> None:
        """Put a new observer in the place of this one, at once or, where that does not last, later."""
        if self._rebuild_at is not None:
            return
        lasted = now - self._built >= _REBUILD_WITHIN
        self._wait = 0.0 if lasted else min(max(0.5, 2 * self._wait), _REBUILD_SLOWEST)
        if lasted or self._wait <= 0.5:
            self._replace(now)
        else:
            self._rebuild_at = now + self._wait

    def _replace(self, now: float) -> None:
        self._rebuild_at = None
        self._drop()  # first, so that its watches are free for the next
        self.rebuilds += 1
        self._build()
        self.scan_wanted = True

    def _look_again(self, now: float) -> None:
        assert self._recheck is not None
        assert self._observer is not None
        suspects = {path: self._folders[path] for path in self._recheck[1] if path in self._folders}
        self._recheck = None
        present = {path: inode for path, inode in suspects.items() if (self._root / path).is_dir()}
        blind = self._observer.blind(self._root, present)
        if not blind:
            self._blind = 0
        elif not self._tried or now >= self._try_again or _watch_limit() != self._limit:
            self._tried, self._try_again = True, now + _TRY_AGAIN
            self._rebuild(now)
        else:
            self._blind = len(blind)
            # Other programs use up the same limit.
            self._used = host.inotify_use()[0]
            self._exhausted = self._used >= self._limit

    def _mind_canary(self, now: float) -> None:
        if self._canary_touched is None:
            if now >= self._canary_next:
                self._touch_canary(now)
        elif self._notices.canary_seen >= self._canary_touched:
            self.canary, self._canary_misses = "ok", 0
            self._canary_touched, self._canary_next = None, now + _CANARY_EVERY
        else:
            # Behind many other notices it may take longer.
            busy = min(self._notices.last_of_all, self._canary_touched + _CANARY_BUSY)
            if now - max(busy, self._canary_touched) > _CANARY_PATIENCE:
                self.canary = "missed"
                self._canary_misses += 1
                self._canary_touched, self._canary_next = None, now
                self._rebuild(now)

    def _touch_canary(self, now: float) -> None:
        place = self._root / STATE_FOLDER
        try:
            inode = place.stat().st_ino
            assert self._observer is not None
            if self._blind and self._observer.blind(self._root, {STATE_FOLDER: inode}):
                raise OSError  # known and said already
            self._canary_touched = now
            # Closing a file that was open for writing is told, without anything to write.
            os.close(os.open(self._root / CANARY, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            self._canary_touched, self._canary_next, self.canary = None, now + _CANARY_BUSY, "off"

    def _words(self) -> tuple[str, str]:
        """What is wrong, and what to do about it."""
        seconds = self.scan_seconds
        if self._silent:
            return _(
                "The folder is on {system}, which does not tell of all changes; it is compared every "
                "{seconds:.0f} seconds."
            ).format(system=self._silent, seconds=seconds), ""
        hint = ""
        if self._exhausted:
            wanted = max(_WATCHES_WANTED, 2 * len(self._folders), 2 * self._used)
            hint = _(
                "Allow more: `sudo sysctl fs.inotify.max_user_watches={watches}`; to keep that, write it "
                "into /etc/sysctl.d/60-inotify.conf."
            ).format(watches=wanted)
        if self._observer is None and self._reason:
            note = _(
                "The system gives no notices ({reason}); the folder is compared every {seconds:.0f} seconds."
            )
            return note.format(reason=self._reason, seconds=seconds), hint
        if self._blind and self._exhausted:
            note = ngettext(
                "{count} of {folders} folders sends no notices: the system's {limit} watches are used up. "
                "All are compared every {seconds:.0f} seconds.",
                "{count} of {folders} folders send no notices: the system's {limit} watches are used up. "
                "All are compared every {seconds:.0f} seconds.",
                self._blind,
            )
        elif self._blind:
            note = ngettext(
                "{count} of {folders} folders sends no notices. All are compared every "
                "{seconds:.0f} seconds.",
                "{count} of {folders} folders send no notices. All are compared every {seconds:.0f} seconds.",
                self._blind,
            )
        elif self._canary_misses > 1:
            note = _(
                "The system's notices do not arrive; the folder is compared every {seconds:.0f} seconds."
            )
        else:
            return "", ""
        return (
            note.format(count=self._blind, folders=len(self._folders), limit=self._limit, seconds=seconds),
            hint,
        )


def _watch_limit() -> int:
    with contextlib.suppress(OSError):
        return (host.inotify_limits() or (0, 0))[0]
    return 0
