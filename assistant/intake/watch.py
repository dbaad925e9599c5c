"""Watching a folder: the system's notices make it quick, regular scans make it sure.

A notice only says that something happened; what is there to do is always found by scanning, so a
lost notice costs time and never a file.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.intake.engine import Engine
from assistant.intake.events import IntakeEvent
from assistant.intake.lock import intake_lock
from assistant.intake.notices import Notices
from assistant.intake.quarantine import write_quarantine
from assistant.intake.settle import Settling
from assistant.intake.space import is_passing
from assistant.intake.state import WatchState, watch_state
from assistant.intake.supervise import CANARY, Supervisor
from assistant.library.library import Library, LibraryUnavailable
from assistant.library.scan import display_name, scan

__all__ = ["IntakeEvent", "watch", "watch_state"]

_TICK = 0.2
_AWAY_SECONDS = 1.0
_LEDGER_SECONDS = 15.0
_REST = 3  # after a scan asked for by a notice, so many times as long as it took
_REST_REGULAR = 10
_NEVER = float("inf")


def watch(library: Library, stop: threading.Event) -> Iterator[IntakeEvent]:
    """Take in files as they come, until `stop` is set; the last event is "done".

    Where the folder goes away (its disk is unmounted) or its ledger cannot be written, the watcher
    rests ("paused", with the reason) and goes on when it can ("resumed").
    Raises `MusicHelperError`, naming the process, where another one already does, and
    `LibraryUnavailable` where the folder is not there at the start.
    """
    library.check_place()
    state = WatchState(library)
    totals = {"ready": 0, "failed": 0, "skipped": 0}
    trouble: tuple[str, str, float] | None = None
    try:
        while not stop.is_set():
            session = _Session(library, stop, state)
            try:
                yield from session.run(resumed=trouble is not None)
                trouble = None
            except (LibraryUnavailable, sqlite3.OperationalError, OSError) as error:
                found = _trouble(library, error)
                if found is None:
                    raise
                trouble = found
            finally:
                for name, number in session.counts.items():
                    totals[name] = totals.get(name, 0) + number
            if trouble is not None:
                yield IntakeEvent("paused", "", reason=trouble[0], hint=trouble[1])
                _rest(library, stop, state, *trouble)
    finally:
        state.back()
    yield IntakeEvent("done", "", counts=totals)


def _trouble(library: Library, error: Exception) -> tuple[str, str, float] | None:
    """What keeps the watcher from its work for now, a hint, and the seconds until the next try.

    None for an error that will not pass.
    """
    try:
        library.check_place()
    except LibraryUnavailable as gone:  # the cause, whatever it was that failed first
        error = gone
    except MusicHelperError:
        pass  # a ledger that cannot be opened; the error at hand says why
    if isinstance(error, LibraryUnavailable):
        return error.title, error.hint, _AWAY_SECONDS
    if is_passing(error):
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return (
            _("The ledger cannot be used: {reason}.").format(reason=reason),
            _("Make room on the disk and check that you may write to the folder."),
            _LEDGER_SECONDS,
        )
    return None


def _rest(
    library: Library, stop: threading.Event, state: WatchState, title: str, hint: str, seconds: float
) -> None:
    """Wait until the folder is there with its ledger."""
    library.close()
    state.away(title, hint)
    while not stop.wait(seconds):
        # Never make a ledger anew in the empty place where a disk was mounted.
        if not library.paths.ledger.is_file():
            continue
        try:
            library.check_place()
            with library.ledger.transaction():
                break
        except Exception:
            library.close()
    state.back()


class _Session:
    """The watcher from the taking of the lock until the folder goes away, or the end."""

    def __init__(self, library: Library, stop: threading.Event, state: WatchState) -> None:
        self._library = library
        self._stop = stop
        self._state = state
        self._settings = library.settings.intake
        self._settling = Settling(self._settings.quiet_seconds, self._settings.patience_seconds)
        self._known: set[int] = set()
        self._earliest = 0.0  # the earliest moment for the next scan, by the monotonic clock
        self._settled_at = 0.0  # when files that were not yet whole may be
        self._ended = 0.0  # the last scan
        self._took = 0.0
        self.counts: dict[str, int] = {}

    def run(self, *, resumed: bool) -> Iterator[IntakeEvent]:
        """Take in files until `stop` is set."""
        library, stop, settings = self._library, self._stop, self._settings
        with intake_lock(library), Engine(library) as engine:
            self.counts = engine.counts
            notices = Notices(Path(CANARY), engine.made)
            with Supervisor(library, notices, settings) as supervisor:
                if resumed:
                    yield IntakeEvent("resumed", "")
                while not stop.is_set():
                    now = time.monotonic()
                    supervisor.tick(now)
                    if self._due(now, notices, supervisor):
                        yield from self._scan(notices, supervisor, engine)
                    if notices.settle() and supervisor.backend == "inotify":
                        supervisor.distrust(now)
                    yield from self._work(notices, supervisor, engine)
                self._state.ended()

    def _due(self, now: float, notices: Notices, supervisor: Supervisor) -> bool:
        if now < self._earliest:
            return False
        if supervisor.scan_wanted or now >= self._settled_at:
            return True
        if now >= self._ended + max(supervisor.scan_seconds, _REST_REGULAR * self._took):
            return True
        return notices.due(now, self._settings.quiet_seconds, self._settings.patience_seconds)

    def _scan(self, notices: Notices, supervisor: Supervisor, engine: Engine) -> Iterator[IntakeEvent]:
        library, settling = self._library, self._settling
        began = time.monotonic()
        supervisor.scan_wanted = False
        notices.scan_begins(settling.waiting)
        settling.begin()
        result = scan(library, hold=settling.hold)
        self._ended = time.monotonic()
        self._took = self._ended - began
        self._earliest = self._ended + _REST * self._took
        self._settled_at = _NEVER
        if settling.waiting:
            self._settled_at = self._ended + max(self._settings.quiet_seconds, 5 * self._took)
        notices.scan_found(result.arrived)
        supervisor.scanned(result.folders, self._ended)
        engine.look()
        yield from engine.refuse(result.refused)
        for track in library.ledger.iterate_tracks(state="waiting"):
            if track.id not in self._known:
                self._known.add(track.id)
                yield IntakeEvent("found", display_name(track.path), track.id)
        for path in settling.impatient():
            yield IntakeEvent("skipped", display_name(path), reason=_("It is still being written to."))
        self._state.scanned(result.added + result.changed + result.moved, self._took)

    def _work(self, notices: Notices, supervisor: Supervisor, engine: Engine) -> Iterator[IntakeEvent]:
        self._library.check_place()  # before a file is called bad because its disk has gone
        yield from engine.fill()
        ended = list(engine.collect(0.0 if self._stop.is_set() else _TICK))
        self._known.difference_update(event.track for event in ended if event.track is not None)
        yield from ended
        if ended and engine.idle:
            write_quarantine(self._library)
        if self._state.due():
            counters = {"missed": notices.missed, "overflows": notices.overflows}
            work = {"working": engine.working, "counts": dict(engine.counts), "paused": engine.paused}
            self._state.write({**supervisor.state(), **counters}, work)
        if not ended and engine.idle:
            self._stop.wait(_TICK)
