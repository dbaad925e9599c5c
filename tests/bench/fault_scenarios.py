"""What a fault scenario is: something bad happens, and as much is found as there was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How many things should have come through, and how many did."""

    expected: int
    found: int
    detail: str = ""
    """What else was seen, in words: seconds, counters, the watcher's note."""

    @property
    def ok(self) -> bool:
        """Exactly as many as expected."""
        return self.found == self.expected


@dataclass(frozen=True)
class Scenario:
    """One fault. `run` makes its own temporary folders and leaves nothing behind."""

    name: str
    run: Callable[[], Outcome]
    control_name: str = ""
    """What the fault is also done to, for comparison: a plain tool or the same without our guard. Empty where
    that tool is not here."""
    control: Callable[[], Outcome] | None = None
