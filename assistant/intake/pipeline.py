"""One run of intake: look at the folder, convert what waits, end."""

from __future__ import annotations

from collections.abc import Iterator

from assistant.intake.engine import Engine, write_quarantine
from assistant.intake.events import IntakeEvent
from assistant.intake.lock import intake_lock
from assistant.library.library import Library
from assistant.library.scan import display_name, scan

__all__ = ["IntakeEvent", "run_once"]

_TICK = 0.5


def run_once(library: Library) -> Iterator[IntakeEvent]:
    """Scan the folder and take in everything that waits; the last event is "done".

    Files that failed before and did not change are named again as "skipped", with their reason. Ending
    the iteration early stops the work cleanly. Raises `MusicHelperError` while another process takes in
    files of this library.
    """
    with intake_lock(library):
        result = scan(library)
        known_failures = library.ledger.tracks(state="failed")
        with Engine(library) as engine:
            for track in known_failures:
                yield IntakeEvent(
                    "skipped", display_name(track.path), track.id, reason=track.reason, hint=track.hint
                )
            engine.counts["skipped"] += len(known_failures)
            for track in library.ledger.tracks(state="waiting"):
                yield IntakeEvent("found", display_name(track.path), track.id)
            engine.look()
            while not engine.idle:
                yield from engine.fill()
                yield from engine.collect(_TICK)
            counts = dict(engine.counts)
        write_quarantine(library)
        yield IntakeEvent(
            "done",
            "",
            counts={
                **counts,
                "unchanged": result.unchanged,
                "missing": result.missing,
                "moved": result.moved,
                "unreadable": len(result.unreadable),
            },
        )
