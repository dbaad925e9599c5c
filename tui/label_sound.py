"""Hearing the track under the cursor: play, seek, and play the next one by itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assistant.label.queue import QueueItem
    from tui.listening import Listening

SEEK_SECONDS = 5.0
END_SECONDS = 0.5
SETTLE_SECONDS = 1.0
"""A player needs a moment until its position follows a seek."""


class LabelSound:
    """Where playing begins and where it is, for one track at a time."""

    def __init__(self, listening: Listening, root: Path) -> None:
        self._listening = listening
        self._root = root
        self._track: int | None = None
        self._sought = 0.0
        self.cue = 0.0
        """Seconds into the track at which playing begins."""

    def arrive(self, item: QueueItem | None, *, autoplay: bool) -> None:
        """Another track may be under the cursor; with `autoplay` it is heard at once."""
        track = item.track.id if item else None
        if track == self._track:
            return
        self._track, self.cue, self._sought = track, 0.0, 0.0
        if item is not None and autoplay:
            self._listening.play(self._file(item))

    def toggle(self, item: QueueItem) -> None:
        """Play from the cue on, or stop there."""
        if (position := self.position(item)) is not None:
            self.cue = position
        self._listening.toggle(self._file(item), self.cue)

    def seek(self, item: QueueItem, steps: int) -> None:
        """Go so many steps on or back; what is heard goes along."""
        playing = self.position(item)
        now = self.cue if playing is None else playing
        last = max(0.0, (item.track.duration or 0.0) - END_SECONDS)
        self.cue = max(0.0, min(last, now + steps * SEEK_SECONDS))
        if playing is not None:
            self._sought = time.monotonic()
            self._listening.play(self._file(item), self.cue)

    def position(self, item: QueueItem) -> float | None:
        """Seconds into the track where it is being heard; None where it is not."""
        if self._listening.playing() != self._file(item):
            return None
        if time.monotonic() < self._sought + SETTLE_SECONDS:
            return self.cue
        return self._listening.position()

    def stop(self, item: QueueItem) -> None:
        """Be silent where this track is heard: its file is about to move."""
        if self._listening.playing() == self._file(item):
            self._listening.stop()

    def _file(self, item: QueueItem) -> Path:
        return self._root / (item.track.wav or item.track.path)
