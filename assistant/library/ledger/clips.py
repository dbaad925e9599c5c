"""The ledger's clips, and what the person thinks of them."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from assistant.library.ledger.database import Database
from assistant.library.ledger.rows import ClipRow, Opinion, path_of_bytes


class Clips(Database):
    """What the machine made."""

    def add_clip(self, path: Path, recipe: dict[str, Any], duration: float) -> None:
        """Write down a generated clip."""
        self._database.execute(
            "INSERT OR REPLACE INTO clips (path, recipe, duration, made) VALUES (?, ?, ?, ?)",
            (os.fsencode(path), json.dumps(recipe), duration, time.time()),
        )

    def clips(
        self, *, limit: int | None = None, rejected: bool = False, favourites: bool = False, rating: int = 0
    ) -> list[ClipRow]:
        """The clips, newest first: the kept or the rejected ones, only favourites, only from a rating on."""
        rows = self._database.execute(
            "SELECT * FROM clips WHERE (trash IS NOT NULL) = ? AND favourite >= ? AND rating >= ? "
            "ORDER BY id DESC LIMIT ?",
            (rejected, favourites, rating, -1 if limit is None else limit),
        )
        return [_clip(row) for row in rows]

    def clip(self, clip_id: int) -> ClipRow | None:
        """The clip with this number."""
        row = self._database.execute("SELECT * FROM clips WHERE id = ?", (clip_id,)).fetchone()
        return _clip(row) if row else None

    def clip_at(self, path: Path) -> ClipRow | None:
        """The clip whose file has, or before it was rejected had, this absolute path."""
        name = os.fsencode(path)
        row = self._database.execute(
            "SELECT * FROM clips WHERE path = :n OR trash = :n ORDER BY path = :n DESC LIMIT 1", {"n": name}
        ).fetchone()
        return _clip(row) if row else None

    def set_clip(self, clip_id: int, **values: Any) -> None:
        """Change columns of a clip; `trash` may be a `Path` or None."""
        assignments = ", ".join(f"{name} = ?" for name in values)
        row = [os.fsencode(value) if isinstance(value, Path) else value for value in values.values()]
        self._database.execute(f"UPDATE clips SET {assignments} WHERE id = ?", (*row, clip_id))

    # Changes of mind

    def add_opinion(self, clip_id: int, what: str, before: Any, after: Any) -> None:
        """Write down a change; what was undone before it can no longer be done again."""
        with self.transaction():
            self._database.execute("DELETE FROM opinions WHERE undone")
            self._database.execute(
                "INSERT INTO opinions (clip, what, before, after, made) VALUES (?, ?, ?, ?, ?)",
                (clip_id, what, json.dumps(before), json.dumps(after), time.time()),
            )

    def opinion(self, *, undone: bool) -> Opinion | None:
        """The change that an undo would take back, or (`undone`) that a redo would make again."""
        order = "ASC" if undone else "DESC"
        row = self._database.execute(
            f"SELECT * FROM opinions WHERE undone = ? ORDER BY id {order} LIMIT 1", (undone,)
        ).fetchone()
        if row is None:
            return None
        before, after = json.loads(row["before"]), json.loads(row["after"])
        return Opinion(row["id"], row["clip"], row["what"], before, after)

    def set_undone(self, opinion_id: int, undone: bool) -> None:
        """Mark a change as taken back, or as made again."""
        self._database.execute("UPDATE opinions SET undone = ? WHERE id = ?", (undone, opinion_id))


def _clip(row: sqlite3.Row) -> ClipRow:
    path = path_of_bytes(row["path"])
    assert path is not None
    return ClipRow(
        id=row["id"],
        path=path,
        recipe=json.loads(row["recipe"]),
        duration=row["duration"],
        made=row["made"],
        rating=row["rating"],
        favourite=bool(row["favourite"]),
        note=row["note"],
        trash=path_of_bytes(row["trash"]),
    )
