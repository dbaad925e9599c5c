"""What the ledger's rows are in Python."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

STRANGE = 0.95
"""Share of known music; see `Proposal.none_of_these`."""
TRACK_STATES = ("waiting", "working", "ready", "failed", "missing")


@dataclass(frozen=True)
class Track:
    """One file of the person's, and what has been made of it. Paths are relative to the library."""

    id: int
    path: Path
    content: str
    size: int
    mtime_ns: int
    state: str
    reason: str
    hint: str
    attempts: int
    wav: Path | None
    caption: Path | None
    info: Path | None
    duration: float | None
    title: str
    artist: str
    album: str
    added: float
    changed: float
    retry_at: float | None = None
    """Unix time before which it is not tried again."""
    decoder: str = ""
    """The version of the decoder that last read it."""


class KnownFile(NamedTuple):
    """What a scan compares of a track; cheap to make by the hundred thousand."""

    id: int
    name: str
    """Its path, relative to the library."""
    content: str
    size: int
    mtime_ns: int
    state: str
    wav: str | None

    @property
    def path(self) -> Path:
        """The name as a path."""
        return Path(self.name)


@dataclass(frozen=True)
class Proposal:
    """What the classifier thinks of a track."""

    track: int
    version: str
    genre: str
    probability: float
    top: list[tuple[str, float]]
    """All genres with their probabilities, most likely first."""
    made: float
    agreement: float | None = None
    """Share of the segments that name the genre."""
    strangeness: float | None = None
    """Share of known music that is nearer to its genres."""
    likely: int | None = None
    """So many of the first of `top` hold the truth, as often as the configured level says."""

    @property
    def none_of_these(self) -> bool:
        """It is farther from all genres than nearly all known music."""
        return self.strangeness is not None and self.strangeness >= STRANGE


@dataclass(frozen=True)
class Decision:
    """What the person decided about a track, with the moves of files that it means."""

    id: int
    track: int
    content: str
    action: str
    genre_from: str | None
    genre_to: str | None
    moves: list[tuple[Path, Path]]
    state: str
    decider: str
    proposed: str | None
    probability: float | None
    step: int | None
    made: float


@dataclass(frozen=True)
class ClipRow:
    """A generated clip."""

    id: int
    path: Path
    recipe: dict[str, Any]
    duration: float
    made: float
    rating: int = 0
    """1 to 5; 0 is none."""
    favourite: bool = False
    note: str = ""
    trash: Path | None = None
    """Where the file of a rejected clip lies."""


@dataclass(frozen=True)
class Opinion:
    """A change of what the person thinks of a clip."""

    id: int
    clip: int
    what: str
    """rating, favourite, note or rejected."""
    before: Any
    after: Any


def path_of_bytes(value: bytes | None) -> Path | None:
    """A path as the ledger keeps it."""
    return None if value is None else Path(os.fsdecode(value))


def track_of_row(row: sqlite3.Row) -> Track:
    """A row of `tracks`."""
    values = dict(row)
    for name in ("path", "wav", "caption", "info"):
        values[name] = path_of_bytes(values[name])
    return Track(**values)


def genre_to_column(genre: str) -> str | bytes:
    """A genre as SQLite takes it: the name of a folder that is no UTF-8 becomes its bytes."""
    return genre if genre.isprintable() else os.fsencode(genre)


def proposal_of_row(row: sqlite3.Row) -> Proposal:
    """A row of `proposals`."""
    values = dict(row)
    values["genre"] = os.fsdecode(values["genre"])
    values["top"] = [(genre, probability) for genre, probability in json.loads(values["top"])]
    return Proposal(**values)


def moves_as_json(moves: list[tuple[Path, Path]]) -> str:
    """The column `moves` of a decision."""
    return json.dumps([[str(a), str(b)] for a, b in moves])


def decision_of_row(row: sqlite3.Row) -> Decision:
    """A row of `decisions`."""
    values = dict(row)
    values["moves"] = [(Path(a), Path(b)) for a, b in json.loads(values["moves"])]
    return Decision(**values)
