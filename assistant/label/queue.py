"""Which tracks wait for a decision, and in which order to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assistant.library.ledger import Proposal, Track
from assistant.library.library import Library

Order = Literal["margin", "newest", "confident", "folder"]
ORDERS: tuple[Order, ...] = ("margin", "confident", "newest", "folder")
SETTLED = ("flag", "reject")


@dataclass(frozen=True)
class QueueItem:
    """A track without a genre, with what the classifier thinks of it."""

    track: Track
    proposal: Proposal | None


def margin(proposal: Proposal | None) -> float:
    """The probability of the first choice less that of the second; 0 where nothing is proposed."""
    if proposal is None or not proposal.top:
        return 0.0
    second = proposal.top[1][1] if len(proposal.top) > 1 else 0.0
    return proposal.top[0][1] - second


def unlabelled_tracks(library: Library) -> list[Track]:
    """The tracks without a genre that are ready: in the folder for them, or in the library's root."""
    return [track for track in library.ledger.tracks(state="ready") if library.genre_of(track.path) is None]


def review_queue(library: Library, order: Order = "margin", *, settled: bool = False) -> list[QueueItem]:
    """The tracks that wait for a decision.

    `margin` asks first where the first two choices are closest, which teaches a classifier most;
    `confident` begins with the surest, `newest` with the last added, `folder` goes by path. Tracks
    without a proposal come after those with one, skipped ones last. With `settled`, only those that
    were flagged or rejected.
    """
    ledger = library.ledger
    remarks: dict[int, str] = {}
    for decision in ledger.decisions():
        if decision.action != "rename":
            remarks[decision.track] = decision.action
    proposals = ledger.proposals()
    items = [
        QueueItem(track, proposals.get(track.id))
        for track in unlabelled_tracks(library)
        if (remarks.get(track.id) in SETTLED) == settled
    ]
    if order == "newest":
        items.sort(key=lambda item: -item.track.added)
    elif order == "confident":
        items.sort(key=lambda item: -item.proposal.probability if item.proposal else 1.0)
    elif order == "margin":
        items.sort(key=lambda item: (item.proposal is None, margin(item.proposal)))
    items.sort(key=lambda item: remarks.get(item.track.id) == "skip")
    return items
