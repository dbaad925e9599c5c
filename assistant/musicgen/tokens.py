"""The token cache: each track encoded once, whole, as int16, read through memory maps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.musicgen.arrays import Arrays
from assistant.workers import Emit


@dataclass(frozen=True)
class TokenSummary:
    """What the cache holds for the library's ready tracks."""

    tracks: int
    built: int
    """Of these, encoded now."""
    seconds: float
    """Of music."""
    failed: tuple[tuple[str, str], ...] = ()
    """Tracks that could not be encoded, each with the reason."""


def build_tokens(library: Library, model: str, on_event: Emit | None = None) -> TokenSummary:
    """Encode the ready tracks that are not encoded yet, in a process of its own.

    `on_event` gets {"event": "tokens", "done", "total"}. What was encoded before an interruption
    stays. Raises `CallError` for an unknown model and `MusicHelperError` for one that cannot be had.
    """
    from assistant.musicgen.client import heavy_worker
    from assistant.musicgen.models import model_folder

    model_folder(model, library.paths)  # a name that means nothing is told at once
    with heavy_worker() as worker:
        answer = worker.call(
            "tokens",
            {
                "library": os.fsdecode(library.root),
                "model": model,
                "device": library.settings.musicgen.device,
            },
            on_event=on_event,
        )
    return TokenSummary(
        tracks=answer["tracks"],
        built=answer["built"],
        seconds=answer["seconds"],
        failed=tuple((path, reason) for path, reason in answer["failed"]),
    )


def tracks_with_audio(library: Library) -> list[Track]:
    """The tracks that can be encoded: ready, each content once."""
    found: dict[str, Track] = {}
    for track in library.ledger.tracks(state="ready"):
        if track.wav is not None:
            found.setdefault(track.content, track)
    return list(found.values())


class TokenCache(Arrays):
    """The tokens of one codec: int16 `[codebooks, frames]`, each track by its content."""

    def __init__(self, root: Path, codec: str, codebooks: int) -> None:
        super().__init__(root / codec, codebooks, np.int16)
