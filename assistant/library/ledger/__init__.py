"""The library's memory: tracks, proposals, decisions and clips in one SQLite file."""

from __future__ import annotations

from typing import Literal

from assistant.library.ledger.clips import Clips
from assistant.library.ledger.decisions import Decisions
from assistant.library.ledger.rows import (
    STRANGE,
    TRACK_STATES,
    ClipRow,
    Decision,
    KnownFile,
    Opinion,
    Proposal,
    Track,
)
from assistant.library.ledger.tracks import Tracks

__all__ = [
    "STRANGE",
    "TRACK_STATES",
    "ClipRow",
    "Decision",
    "KnownFile",
    "Ledger",
    "Opinion",
    "Proposal",
    "Track",
]


class Ledger(Tracks, Decisions, Clips):
    """Everything that is remembered of a library."""

    def count(self, table: Literal["tracks", "proposals", "decisions", "clips"]) -> int:
        """The number of rows of a table; of decisions those in force, of clips those not rejected."""
        where = {"decisions": "WHERE state = 'done'", "clips": "WHERE trash IS NULL"}.get(table, "")
        return int(self._database.execute(f"SELECT count(*) FROM {table} {where}").fetchone()[0])
