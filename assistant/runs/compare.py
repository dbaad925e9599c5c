"""In which settings runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assistant.runs.record import RunRecord

ABSENT = "–"
_NOT_COMPARED = ("name",)


def differences(runs: Sequence[RunRecord]) -> list[tuple[str, tuple[Any, ...]]]:
    """The settings that are not the same in all runs, with each run's value; `ABSENT` where it has none."""
    names = dict.fromkeys(name for run in runs for name in ("device", *run.spec))
    found = []
    for name in names:
        if name in _NOT_COMPARED:
            continue
        values = tuple(run.spec.get(name, run.device if name == "device" else ABSENT) for run in runs)
        if any(value != values[0] for value in values):
            found.append((name, values))
    return found
