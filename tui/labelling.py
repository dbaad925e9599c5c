"""A labelling session: a queue that stays in its order, and what was decided about each track."""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assistant.label.queue import QueueItem
    from assistant.label.views import View
    from assistant.library.ledger import Proposal

PACE_TRACKS = 20
OPEN = "open"


@dataclass
class LabelSession:
    """Which track is under the cursor. New files come in at the end, so that nothing moves."""

    order: str = "margin"
    view: View = "waiting"
    """Which queue this is; see `assistant.label.views`."""
    items: list[QueueItem] = field(default_factory=list)
    index: int = 0
    decided: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    """Track number to action and genre."""
    genres: list[str] = field(default_factory=list)
    labelled: int = 0
    """Labels given in this session and not taken back."""
    _moments: deque[float] = field(default_factory=lambda: deque(maxlen=PACE_TRACKS + 1))

    @property
    def current(self) -> QueueItem | None:
        """The item under the cursor."""
        return self.items[self.index] if 0 <= self.index < len(self.items) else None

    @property
    def left(self) -> int:
        """How many wait for a decision still, with what was skipped."""
        return len(self.items) - sum(action != "skip" for action, _genre in self.decided.values())

    def state(self, track: int) -> str:
        """What was decided about a track, or `open`."""
        return self.decided.get(track, (OPEN, None))[0]

    def take(self, items: Sequence[QueueItem], genres: Sequence[str], first: Sequence[str]) -> int:
        """Take in what waits now; what is known keeps its place. Returns how many came in.

        The genres keep their digits too; `first` are those that come first.
        """
        if not self.items:
            self.items, self.index = list(items), 0
            self.decided.clear()
            self._take_genres(genres, first)
            return len(items)
        fresh = {item.track.id: item for item in items}
        # What somebody else has decided since leaves the queue, except under the cursor.
        here = self.current.track.id if self.current else None
        kept = [
            # Under the cursor nothing changes: a key may be on its way.
            item if item.track.id == here and item.proposal else fresh.get(item.track.id, item)
            for item in self.items
            if item.track.id in fresh or item.track.id in self.decided or item.track.id == here
        ]
        for track in fresh:
            if self.state(track) not in (OPEN, "skip"):
                self.decided.pop(track)
        known = {item.track.id for item in kept}
        new = [item for item in items if item.track.id not in known]
        self.items = kept + new
        self.index = next((place for place, item in enumerate(self.items) if item.track.id == here), 0)
        self._take_genres(genres, first)
        return len(new)

    def _take_genres(self, genres: Sequence[str], first: Sequence[str]) -> None:
        wanted = [*(name for name in first if name in genres), *sorted(set(genres) - set(first))]
        self.genres += [name for name in wanted if name not in self.genres]

    def learn(self, proposals: Mapping[int, Proposal]) -> bool:
        """Take in proposals for tracks that had none; nothing moves. Whether the one here has one now."""
        here = self.current
        self.items = [
            item
            if item.proposal or item.track.id not in proposals
            else replace(item, proposal=proposals[item.track.id])
            for item in self.items
        ]
        return here is not self.current

    def rescore(self, items: Sequence[QueueItem]) -> None:
        """Take new proposals and their order for what comes after the cursor; nothing moves before it."""
        place = {item.track.id: number for number, item in enumerate(items)}
        fresh = {item.track.id: item for item in items}
        after = [fresh.get(item.track.id, item) for item in self.items[self.index + 1 :]]
        after.sort(key=lambda item: place.get(item.track.id, len(place)))
        self.items[self.index + 1 :] = after

    def restart(self, order: str, view: View | None = None) -> None:
        """Forget the queue, in order to read it in another order, or another one."""
        self.order, self.items, self.index = order, [], 0
        self.view = view or self.view

    def browse(self, steps: int) -> None:
        """Go to another item without a decision."""
        if self.items:
            self.index = max(0, min(len(self.items) - 1, self.index + steps))

    def go_to(self, track: int) -> bool:
        """Put the cursor on a track; False where it is not in the queue."""
        here = self.current
        if here is not None and here.track.id == track:
            return True
        for place, item in enumerate(self.items):
            if item.track.id == track:
                self.index = place
                return True
        return False

    def decide(self, track: int, action: str, genre: str | None, moment: float) -> None:
        """Write down a decision and go on to the next open item."""
        if genre is not None and genre not in self.genres:
            self.genres.append(genre)
        if action == "label":
            self.labelled += 1
            self._moments.append(moment)
        if not self.go_to(track):
            return
        self.decided[track] = (action, genre)
        if action == "skip":
            self.items.append(self.items.pop(self.index))
            self.index -= 1
        self._go_on()

    def decide_many(self, tracks: Sequence[int], moment: float) -> None:
        """Write down that the proposals of these were accepted."""
        self.labelled += len(tracks)
        proposed = {item.track.id: item.proposal for item in self.items}
        for track in tracks:
            if track in proposed:
                proposal = proposed[track]
                self.decided[track] = ("label", proposal.genre if proposal else None)
        if self.current and self.current.track.id in tracks:
            self._go_on()

    def take_back(self, tracks: Sequence[int]) -> bool:
        """These are open again; the cursor goes to the first. False where it is not in the queue."""
        for track in tracks:
            action, _genre = self.decided.pop(track, (OPEN, None))
            self.labelled -= action == "label"
        return bool(tracks) and self.go_to(tracks[0])

    def pace(self) -> float | None:
        """Seconds a label takes: the median of the last ones."""
        moments = list(self._moments)
        steps = [later - earlier for earlier, later in itertools.pairwise(moments)]
        return statistics.median(steps) if steps else None

    def _go_on(self) -> None:
        """To the next open item after the cursor, or else the first one; skipped ones last."""
        for wanted in (OPEN, "skip"):
            after = itertools.chain(range(self.index + 1, len(self.items)), range(self.index + 1))
            for place in after:
                if place < len(self.items) and self.state(self.items[place].track.id) == wanted:
                    self.index = place
                    return
        self.index = len(self.items)
