"""Labels out of a library and into one, as plain rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.errors import CallError
from assistant.i18n import _
from assistant.label.decisions import Labeller
from assistant.library.ledger import Track
from assistant.library.library import Library


def export_labels(library: Library) -> list[dict[str, Any]]:
    """One row for each track with a genre: path, content hash, genre, who decided and when.

    The folder is the truth: a track that lay in a genre folder from the beginning has a row too,
    with `decider` "folder".
    """
    deciders = {
        decision.track: decision for decision in library.ledger.decisions() if decision.action == "label"
    }
    rows = []
    for track in library.ledger.tracks():
        genre = library.genre_of(track.path)
        if genre is None or track.state == "missing":
            continue
        decision = deciders.get(track.id)
        if decision and decision.genre_to != genre:
            decision = None
        rows.append(
            {
                "path": str(track.path),
                "content": track.content,
                "genre": genre,
                "title": track.title,
                "artist": track.artist,
                "decider": decision.decider if decision else "folder",
                "made": decision.made if decision else None,
            }
        )
    return rows


def import_labels(
    library: Library, rows: Sequence[dict[str, Any]], labeller: Labeller | None = None
) -> dict[str, int]:
    """Label tracks as the rows say, matched by content hash, else by path; one undo step.

    Returns how many were `labelled`, `unchanged`, `unknown` (no such track here) and `failed`.
    Raises `CallError` for a row without a genre, before anything is done.
    """
    labeller = labeller or Labeller(library)
    counts = {"labelled": 0, "unchanged": 0, "unknown": 0, "failed": 0}
    wanted: dict[int, str] = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or not isinstance(row.get("genre"), str):
            raise CallError(
                _("Row {number} of the labels has no genre.").format(number=number),
                _("Each row needs a genre, and a content or a path to find the track by."),
            )
        found = _find(library, row)
        if not found:
            counts["unknown"] += 1
        for track in found:
            if library.genre_of(track.path) == row["genre"]:
                counts["unchanged"] += 1
            else:
                wanted[track.id] = row["genre"]
    counts["labelled"] = len(labeller.label_many(wanted.items()))
    counts["failed"] = len(wanted) - counts["labelled"]
    return counts


def _find(library: Library, row: dict[str, Any]) -> list[Track]:
    found = library.ledger.tracks_with_content(str(row.get("content", "")))
    if not found and row.get("path"):
        track = library.ledger.track_at(Path(str(row["path"])))
        found = [track] if track else []
    return [track for track in found if track.state != "missing"]
