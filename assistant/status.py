"""The state of everything that concerns a library, as one value."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from assistant.classify.store import current_version
from assistant.intake.watch import watch_state
from assistant.library.library import Library
from assistant.library.status import library_status
from assistant.runs.record import list_runs

RUNS_SHOWN = 20


def status(library: Library) -> dict[str, Any]:
    """The library's numbers, the watcher, the classifier in use and the newest runs."""
    report = current_version(library)
    return {
        **library_status(library),
        "watch": watch_state(library),
        "classifier": report
        and {"version": report.version, "accuracy": report.accuracy, "chance": report.chance},
        "runs": [asdict(run) for run in list_runs(library)[:RUNS_SHOWN]],
    }
