"""What the library holds, in numbers."""

from __future__ import annotations

import itertools
import json
from typing import Any

from assistant.library.ledger import Track
from assistant.library.library import Library

FAILURES_SHOWN = 200


def library_status(library: Library) -> dict[str, Any]:
    """Tracks by genre and state, hours, failures with their reasons, duplicates, clips and decisions.

    `failed` names at most `FAILURES_SHOWN` files, and what has a music file's name and is no file that
    can be read; `put_off` those that wait for a trouble to pass. `again` is the Unix time of the next
    attempt; None: the file is set aside. `by_state` has the whole numbers.
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
    put_off = itertools.islice(library.ledger.iterate_tracks(state="waiting", put_off=True), FAILURES_SHOWN)
    return {
        "library": str(library.root),
        "tracks": {
            "total": sum(by_genre.values()),
            "by_genre": by_genre,
            "by_state": by_state,
            "hours": round(seconds / 3600, 3),
        },
        "failed": [*(_named(library, track) for track in failed), *_refused(library)],
        "put_off": [_named(library, track) for track in put_off if track.reason],
        "duplicates": len({track for track, _earlier, _exact in library.ledger.duplicates()}),
        "clips": library.ledger.count("clips"),
        "proposals": library.ledger.count("proposals"),
        "decisions": library.ledger.count("decisions"),
    }


def _named(library: Library, track: Track) -> dict[str, Any]:
    return {
        "path": str(library.root / track.path),
        "reason": track.reason,
        "hint": track.hint,
        "again": track.retry_at,
    }


def _refused(library: Library) -> list[dict[str, Any]]:
    try:
        found = json.loads(library.paths.refused.read_text("utf-8"))
        return [{**one, "path": str(library.root / one["path"]), "again": None} for one in found]
    except (OSError, ValueError, KeyError, TypeError):
        return []
