"""How far a generation is, in a line."""

from __future__ import annotations

import time
from collections import deque

from textual.content import Content

from assistant.i18n import _
from tui.messages import GenerationMoved
from tui.text import bar, clock

CELLS = 24
LEAST_SECONDS = 0.5
"""Of progress that a rate is told from."""


class GenerationProgress:
    """Counts frames and time, and says what is left."""

    def __init__(self) -> None:
        self._moved: GenerationMoved | None = None
        self._moments: deque[tuple[float, int]] = deque(maxlen=20)

    @property
    def going(self) -> bool:
        """Whether something is being made."""
        return self._moved is not None

    def begin(self, clips: int) -> None:
        """A request was made."""
        self._moments.clear()
        self._moved = GenerationMoved(0, clips, 0, 0)

    def move(self, moved: GenerationMoved, now: float | None = None) -> None:
        """It is that far."""
        if self._moved is not None and self._moved.clip != moved.clip:
            self._moments.clear()  # the frames of clips that are made together are counted together
        self._moved = moved
        if moved.total:
            self._moments.append((time.monotonic() if now is None else now, moved.done))

    def end(self) -> None:
        """Nothing is made any more."""
        self._moved = None

    def line(self) -> Content:
        """What is shown."""
        moved = self._moved
        if moved is None:
            return Content("")
        if not moved.total:
            return Content.styled(_("Loading the model…"), "$text-accent")
        filled = bar(moved.done / moved.total, CELLS)
        which = _("clip {place} of {count}").format(place=min(moved.clip + 1, moved.clips), count=moved.clips)
        left = self._seconds_left(moved)
        return Content.assemble(
            f"{which} ",
            (filled, "$accent"),
            ("─" * (CELLS - len(filled)), "$border"),
            f" {moved.done}/{moved.total}",
            "" if left is None else "  " + _("{time} left").format(time=clock(left)),
        )

    def _seconds_left(self, moved: GenerationMoved) -> float | None:
        if len(self._moments) < 2:
            return None
        (begin, first), (end, last) = self._moments[0], self._moments[-1]
        if end - begin < LEAST_SECONDS or last <= first:
            return None
        return (moved.total - last) * (end - begin) / (last - first)
