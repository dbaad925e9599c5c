"""What can be gone through beside the tracks that wait: set-aside ones, and labels the sound contradicts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.files import write_json
from assistant.i18n import _
from assistant.label.queue import Order, QueueItem, review_queue
from assistant.library.ledger import Proposal
from assistant.library.library import Library

View = Literal["waiting", "settled", "contradicted"]
VIEWS: tuple[View, ...] = ("waiting", "settled", "contradicted")
REVIEW_NAME = "review.json"


@dataclass(frozen=True)
class ReviewState:
    """The last search for labels that the sound contradicts."""

    made: float
    """Unix time."""
    found: int
    """Those of them that nobody has decided about since."""


def view_queue(library: Library, view: View, order: Order) -> list[QueueItem]:
    """The tracks of a view: those that wait, the flagged and rejected, or the contradicted ones."""
    if view == "contradicted":
        return contradicted(library)
    return review_queue(library, order, settled=view == "settled")


def find_contradicted(library: Library, on_event: Callable[[dict[str, Any]], None] | None = None) -> int:
    """Search for labels that the sound contradicts, remember them, and return how many there are.

    Trains by cross-validation, so it takes from seconds to minutes. Raises `MusicHelperError` where there
    are too few tracks.
    """
    from assistant.classify.review import suspicious_labels

    found = suspicious_labels(library, on_event)
    library.paths.classifier.mkdir(parents=True, exist_ok=True)
    write_json(_path(library), {"made": time.time(), "found": [asdict(one) for one in found]})
    return len(contradicted(library))


def contradicted(library: Library) -> list[QueueItem]:
    """Tracks whose label was contradicted and about which nobody has decided since.

    The proposal names the suggested genre first and the track's own second.
    """
    made, rows = _read(library)
    if not rows:
        return []
    decided = {one.track for one in library.ledger.decisions() if one.made > made and one.action != "rename"}
    confirmed = _confirmed(library)
    items = []
    for row in rows:
        track = library.ledger.track_at(Path(row["path"]))
        if track is None or track.id in decided or library.genre_of(track.path) != row["genre"]:
            continue
        if confirmed.get(track.id) == row["genre"]:
            continue
        top = [
            (str(row["suggested"]), float(row["suggested_probability"])),
            (str(row["genre"]), float(row["probability"])),
        ]
        items.append(QueueItem(track, Proposal(track.id, "review", top[0][0], top[0][1], top, made)))
    return items


def review_state(library: Library) -> ReviewState | None:
    """When was last searched, and what is left of it; None before the first search."""
    made, _rows = _read(library)
    return ReviewState(made, len(contradicted(library))) if made else None


def view_name(view: View) -> str:
    """A view in the person's language."""
    return {
        "waiting": _("waiting for a genre"),
        "settled": _("flagged and rejected"),
        "contradicted": _("labels the sound contradicts"),
    }[view]


def _confirmed(library: Library) -> dict[int, str]:
    """The genre that the person gave a track that was in its folder already: looked at, and kept."""
    kept: dict[int, str] = {}
    for one in library.ledger.decisions():
        if one.action == "label":
            kept.pop(one.track, None)
            if one.genre_to is not None and one.genre_from == one.genre_to and one.decider == "person":
                kept[one.track] = one.genre_to
    return kept


def _path(library: Library) -> Path:
    return library.paths.classifier / REVIEW_NAME


def _read(library: Library) -> tuple[float, list[dict[str, Any]]]:
    try:
        values = json.loads(_path(library).read_bytes())
        rows = [
            row
            for row in values["found"]
            if {"path", "genre", "probability", "suggested", "suggested_probability"} <= set(row)
        ]
        return float(values["made"]), rows
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, []
