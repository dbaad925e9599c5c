"""What intake tells on its way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class IntakeEvent:
    """One step of intake.

    found: a file was seen for the first time (or again, changed or moved); working: its conversion
    began; ready, failed: how it ended; skipped: nothing was to be done, `reason` says why; paused,
    resumed: the whole intake rests, or goes on; done: the end, with the totals in `counts`.
    """

    event: Literal["found", "working", "ready", "failed", "skipped", "paused", "resumed", "done"]
    path: str
    """Relative to the library, as valid text; empty for "paused", "resumed" and "done"."""
    track: int | None = None
    reason: str = ""
    hint: str = ""
    wav: str = ""
    caption: str = ""
    """The line of English."""
    duration: float | None = None
    seconds: float | None = None
    """How long the work took."""
    duplicate_of: str = ""
    """An earlier track with the same sound, relative to the library."""
    counts: dict[str, int] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what does not apply is left out."""
        values = {key: value for key, value in asdict(self).items() if value not in (None, "")}
        counts = values.pop("counts", {})
        return {"event": self.event, "path": self.path, **values, **counts}
