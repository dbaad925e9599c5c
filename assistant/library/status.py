"""What the library holds, in numbers."""

from __future__ import annotations

from typing import Any

from assistant.library.library import Library

FAILURES_SHOWN = 200


def library_status(library: Library) -> dict[str, Any]:
    """Tracks by genre and state, hours, failures with their reasons, clips and decisions.

    `failed` names at most `FAILURES_SHOWN` files; `by_state` has their whole number.
    """
    by_genre: dict[str, int] = dict.fromkeys(library.genres(), 0)
    by_genre[library.unlabelled] = 0
    by_state: dict[str, int] = {}
    seconds = 0.0
    for folder, state, number, duration in library.ledger.counts():
        by_state[state] = by_state.get(state, 0) + number
        if state == "missing":
            continue
        genre = folder or library.unlabelled
        by_genre[genre] = by_genre.get(genre, 0) + number
        if state == "ready":
            seconds += duration
    failed = library.ledger.tracks(state="failed", limit=FAILURES_SHOWN)
    return {
        "library": str(library.root),
        "tracks": {
            "total": sum(by_genre.values()),
            "by_genre": by_genre,
            "by_state": by_state,
            "hours": round(seconds / 3600, 3),
        },
        "failed": [
            {"path": str(library.root / track.path), "reason": track.reason, "hint": track.hint}
            for track in failed
        ],
        "clips": library.ledger.count("clips"),
        "proposals": library.ledger.count("proposals"),
        "decisions": library.ledger.count("decisions"),
    }
