"""One run of intake, and what it left in the ledger."""

from __future__ import annotations

import json
from pathlib import Path

from assistant.intake.events import IntakeEvent
from assistant.intake.pipeline import run_once
from assistant.library.ledger import Track
from assistant.library.library import Library


def run(library: Library) -> dict[str, list[IntakeEvent]]:
    """All events by their kind; each can be written as JSON, and nothing half done stays."""
    found: dict[str, list[IntakeEvent]] = {}
    for event in run_once(library):
        json.dumps(event.as_dict(), ensure_ascii=False).encode()
        found.setdefault(event.event, []).append(event)
    assert found["done"]
    assert not list(library.root.rglob(".musichelper-*"))
    return found


def track(library: Library, name: str) -> Track:
    """The track at a relative path."""
    found = library.ledger.track_at(Path(name))
    assert found is not None
    return found
