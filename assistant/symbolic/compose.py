"""Compose a short piece in one of ten genres by rules; one genre and seed give one piece everywhere."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from assistant.errors import CallError
from assistant.i18n import _
from assistant.symbolic.midi import write_midi
from assistant.symbolic.piece import Piece

__all__ = ["GENRES", "Piece", "compose", "write_midi"]

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
SHORTEST, LONGEST = 5.0, 600.0


def compose(genre: str, seed: int, seconds: float = 20) -> Piece:
    """A piece of about `seconds` (whole bars, and in the blues whole choruses).

    A genre that is not in `GENRES` or a length outside 5–600 seconds is a `CallError`.
    """
    if genre not in GENRES:
        raise CallError(
            _("No rules are known for the genre “{genre}”.").format(genre=genre),
            _("Pieces can be composed in: {genres}.").format(genres=", ".join(GENRES)),
        )
    if not SHORTEST <= seconds <= LONGEST:
        raise CallError(_("A composed piece lasts from 5 to 600 seconds."))
    style: Callable[[int, float], Piece] = import_module(f"assistant.symbolic.rules.{genre}").compose
    return style(seed, seconds)
