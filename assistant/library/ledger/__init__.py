"""The library's memory: tracks, proposals, decisions and clips in one SQLite file."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Literal

from assistant.library.ledger.decisions import Decisions
from assistant.library.ledger.rows import (
    STRANGE,
    TRACK_STATES,
    ClipRow,
    Decision,
    KnownFile,
    Proposal,
    Track,
)
from assistant.library.ledger.tracks import Tracks

__all__ = ["STRANGE", "TRACK_STATES", "ClipRow", "Decision", "KnownFile", "Ledger", "Proposal", "Track"]


class Ledger(Tracks, Decisions):
    """Everything that is remembered of a library."""

    def add_clip(self, path: Path, recipe: dict[str, Any], duration: float) -> None:
        """Write down a generated clip."""
        self._database.execute(
            "INSERT OR REPLACE INTO clips (path, recipe, duration, made) VALUES (?, ?, ?, ?)",
            (os.fsencode(path), json.dumps(recipe), duration, time.time()),
        )

    def clips(self, *, limit: int | None = None) -> list[ClipRow]:
        """The clips, newest first."""
        rows = self._database.execute(
            "SELECT * FROM clips ORDER BY id DESC LIMIT ?", (-1 if limit is None else limit,)
        )
        return [
            ClipRow(
                row["id"],
                Path(os.fsdecode(row["path"])),
                json.loads(row["recipe"]),
                row["duration"],
                row["made"],
            )
            for row in rows
        ]

    def count(self, table: Literal["tracks", "proposals", "decisions", "clips"]) -> int:
        """The number of rows of a table; of decisions, those in force."""
        where = "WHERE state = 'done'" if table == "decisions" else ""
        return int(self._database.execute(f"SELECT count(*) FROM {table} {where}").fetchone()[0])
