"""Captions of the person's own music, as examples of what a model that learnt it understands."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from assistant.library.library import Library


def example_captions(library: Library, most: int) -> list[tuple[str, str]]:
    """At most so many different captions of each genre, and of the tracks without one: (genre, caption)."""
    found: list[tuple[str, str]] = []
    for genre in (*library.genres(), library.unlabelled):
        captions = (
            _read(library, track.caption)
            for track in library.ledger.tracks(state="ready", folder=genre, limit=4 * most)
            if track.caption is not None
        )
        different = dict.fromkeys(text for text in captions if text)
        found += [(genre, text) for text in islice(different, most)]
    return found


def _read(library: Library, caption: Path) -> str:
    try:
        return " ".join((library.root / caption).read_text("utf-8", "replace").split())
    except OSError:
        return ""
