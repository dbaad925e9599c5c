"""One run of intake: look at the folder, convert what waits, end."""

from __future__ import annotations

import time
from collections.abc import Iterator

from assistant.intake.engine import Engine
from assistant.intake.events import IntakeEvent
from assistant.intake.lock import intake_lock
from assistant.intake.quarantine import write_quarantine
from assistant.library.library import Library
from assistant.library.scan import display_name, scan

__all__ = ["IntakeEvent", "run_once"]

_TICK = 0.5


def run_once(library: Library) -> Iterator[IntakeEvent]:
    """Scan the folder and take in everything that waits; the last event is "done".

    Files that failed before and whose next attempt is not due are named again as "skipped", with their
    reason; those that wait for a trouble to pass are tried at once. What cannot be done now (the disk
    is nearly full) is left for the next run.
    Ending the iteration early stops the work cleanly. Raises `MusicHelperError` while another process
    takes in files of this library.
    """
    with intake_lock(library):
        result = scan(library)
        with Engine(library, at_once=True) as engine:
            engine.look()
            yield from engine.refuse(result.refused)
            now = time.time()
            for track in library.ledger.iterate_tracks(state="failed"):
                if track.retry_at is None or track.retry_at > now:
                    engine.counts["skipped"] += 1
                    yield IntakeEvent(
                        "skipped", display_name(track.path), track.id, reason=track.reason, hint=track.hint
                    )
            for track in library.ledger.iterate_tracks(state="waiting"):
                yield IntakeEvent("found", display_name(track.path), track.id)
            while True:
                yield from engine.fill()
                yield from engine.collect(_TICK)
                if engine.idle:
                    break
            counts = dict(engine.counts)
        write_quarantine(library)
        yield IntakeEvent(
            "done",
            "",
            counts={
                **counts,
                "waiting": library.ledger.count_state("waiting"),
                "unchanged": result.unchanged,
                "missing": result.missing,
                "moved": result.moved,
                "unreadable": len(result.unreadable),
            },
        )
