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


@dataclass(frozen=True)
class Known:
    """A session's queue at the moment when it was asked for anew."""

    items: list[QueueItem]
    decided: dict[int, tuple[str, str | None]]
    index: int
    changes: int
    rescore: bool


@dataclass(frozen=True)
class Merged:
    """A queue that was read, in the order of the one that is known."""

    items: list[QueueItem]
    index: int
    """Where the cursor is."""
    came: int
    """So many are new."""
    proposed: int
    """So many have a proposal."""
    reopened: list[int]
    """Tracks that were decided about and wait again."""
    changes: int
    rescored: bool


def merge(known: Known, read: Sequence[QueueItem]) -> Merged:
    """What is known keeps its place, what is new comes last; for threads, as it takes long.

    What somebody else has decided since leaves the queue, except under the cursor, where nothing changes:
    a key may be on its way.
    """
    fresh = {item.track.id: item for item in read}
    kept: list[QueueItem] = []
    index = None
    for place, item in enumerate(known.items):
        track = item.track.id
        if place == known.index:
            index = len(kept)
            kept.append(item if item.proposal else fresh.get(track, item))
        elif track in fresh or track in known.decided:
            kept.append(fresh.get(track, item))
    there = {item.track.id for item in kept}
    new = [item for item in read if item.track.id not in there]
    if index is None:
        index = len(kept)
    items = kept + new
    if known.rescore:
        order = {item.track.id: number for number, item in enumerate(read)}
        items[index + 1 :] = sorted(items[index + 1 :], key=lambda item: order.get(item.track.id, len(order)))
    return Merged(
        items,
        index,
        len(new),
        sum(item.proposal is not None for item in read),
        [track for track, (action, _genre) in known.decided.items() if action != "skip" and track in fresh],
        known.changes,
        known.rescore,
    )


def learned(items: Sequence[QueueItem], proposals: Mapping[int, Proposal]) -> dict[int, QueueItem]:
    """The items without a proposal for which there is one now, with it."""
    return {
        item.track.id: replace(item, proposal=proposals[item.track.id])
        for item in items
        if item.proposal is None and item.track.id in proposals
    }


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
    _places: dict[int, int] = field(default_factory=dict)
    """Where in the queue tracks were before they were skipped."""
    _moments: deque[float] = field(default_factory=lambda: deque(maxlen=PACE_TRACKS + 1))
    _changes: int = 0
    """Of the items and of the place of the cursor."""

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

    def known(self, *, rescore: bool = False) -> Known:
        """What the queue is now, for `merge`; with `rescore` what comes after the cursor is ordered anew."""
        return Known(list(self.items), dict(self.decided), self.index, self._changes, rescore)

    def take(self, items: Sequence[QueueItem], genres: Sequence[str], first: Sequence[str]) -> int:
        """Take in what waits now; what is known keeps its place. Returns how many came in.

        The genres keep their digits too; `first` are those that come first.
        """
        return self.absorb(merge(self.known(), items), genres, first)

    def absorb(self, merged: Merged, genres: Sequence[str], first: Sequence[str]) -> int:
        """Take in a queue that was merged with this one; see `take`."""
        wanted = [*(name for name in first if name in genres), *sorted(set(genres) - set(first))]
        self.genres += [name for name in wanted if name not in self.genres]
        if not self.items:
            self.decided.clear()
            self.items, self.index = merged.items, 0
            return len(merged.items)
        for track in merged.reopened:
            self.decided.pop(track, None)
        if merged.changes == self._changes:
            self.items, self.index = merged.items, merged.index
        else:  # The person went on meanwhile, and nothing moves up to where the cursor is now.
            front = self.items[: self.index + 1]
            there = {item.track.id for item in front}
            self.items = front + [item for item in merged.items if item.track.id not in there]
        self._changes += 1
        return merged.came

    def learn(self, learned: Mapping[int, QueueItem]) -> bool:
        """Take in items that have a proposal now; nothing moves. Whether the one here is one of them."""
        here = self.current
        if learned:
            self._changes += 1
            self.items = [item if item.proposal else learned.get(item.track.id, item) for item in self.items]
        return here is not self.current

    def restart(self, order: str, view: View | None = None) -> None:
        """Forget the queue, in order to read it in another order, or another one."""
        self.order, self.items, self.index = order, [], 0
        self._changes += 1
        self.view = view or self.view

    def browse(self, steps: int) -> None:
        """Go to another item without a decision."""
        if self.items:
            self._changes += 1
            self.index = max(0, min(len(self.items) - 1, self.index + steps))

    def go_to(self, track: int) -> bool:
        """Put the cursor on a track; False where it is not in the queue."""
        here = self.current
        if here is not None and here.track.id == track:
            return True
        for place, item in enumerate(self.items):
            if item.track.id == track:
                self._changes += 1
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
            self._places[track] = self.index
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
            if action == "skip" and self.go_to(track):
                self.items.insert(self._places.pop(track, self.index), self.items.pop(self.index))
        return bool(tracks) and self.go_to(tracks[0])

    def pace(self) -> float | None:
        """Seconds a label takes: the median of the last ones."""
        moments = list(self._moments)
        steps = [later - earlier for earlier, later in itertools.pairwise(moments)]
        return statistics.median(steps) if steps else None

    def _go_on(self) -> None:
        """To the next open item after the cursor, or else the first one; skipped ones last."""
        self._changes += 1
        for wanted in (OPEN, "skip"):
            after = itertools.chain(range(self.index + 1, len(self.items)), range(self.index + 1))
            for place in after:
                if place < len(self.items) and self.state(self.items[place].track.id) == wanted:
                    self.index = place
                    return
        self.index = len(self.items)
