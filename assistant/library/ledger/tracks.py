"""The ledger's tracks."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from assistant.library.ledger.fingerprints import Fingerprints
from assistant.library.ledger.rows import KnownFile, Track, track_of_row

_PAGE = 500


class Tracks(Fingerprints):
    """Files of the person's, and what has been made of them."""

    def tracks(
        self,
        *,
        state: str | None = None,
        folder: str | None = None,
        limit: int | None = None,
    ) -> list[Track]:
        """The tracks, by path; of one state, or below one folder of the root."""
        where, values = ["1"], list[Any]()
        if state is not None:
            where.append("state = ?")
            values.append(state)
        if folder is not None:
            start = os.fsencode(folder) + b"/"
            where.append("path >= ? AND path < ?")
            values += [start, start[:-1] + b"0"]  # "0" follows "/" in ASCII
        query = f"SELECT * FROM tracks WHERE {' AND '.join(where)} ORDER BY path LIMIT ?"
        values.append(-1 if limit is None else limit)
        return [track_of_row(row) for row in self._database.execute(query, values)]

    def iterate_tracks(self, *, state: str, put_off: bool = False) -> Iterator[Track]:
        """The tracks of a state, by age, a few at a time; the ledger may be written to meanwhile.

        With `put_off` only those that have a time to be tried again at.
        """
        last = 0
        while True:
            rows = self._database.execute(
                "SELECT * FROM tracks WHERE state = ? AND id > ? AND (NOT ? OR retry_at IS NOT NULL) "
                "ORDER BY id LIMIT ?",
                (state, last, put_off, _PAGE),
            ).fetchall()
            yield from map(track_of_row, rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1]["id"]

    def due_tracks(self, now: float, *, put_off_before: float = 0.0, limit: int) -> list[int]:
        """The numbers of the tracks to take in now: those never begun first, then by age.

        Put-off ones count when their time has come, or where they were put off before
        `put_off_before` (Unix time); failed ones when their time has come.
        """
        rows = self._database.execute(
            "SELECT id, attempts FROM tracks WHERE state = 'waiting' "
            "AND (retry_at IS NULL OR retry_at <= :now OR changed < :before) "
            "UNION ALL SELECT id, attempts FROM tracks WHERE state = 'failed' AND retry_at <= :now "
            "ORDER BY attempts, id LIMIT :limit",
            {"now": now, "before": put_off_before, "limit": limit},
        )
        return [row["id"] for row in rows]

    def try_again(self, tracks: Iterable[int]) -> None:
        """Let tracks that failed or were put off wait with nothing held against them."""
        with self.transaction():
            self._database.executemany(
                "UPDATE tracks SET state = 'waiting', attempts = 0, retry_at = NULL, changed = ? "
                "WHERE id = ? AND state IN ('failed', 'waiting')",
                [(time.time(), number) for number in tracks],
            )

    def count_state(self, state: str) -> int:
        """The number of tracks in a state."""
        return int(
            self._database.execute("SELECT count(*) FROM tracks WHERE state = ?", (state,)).fetchone()[0]
        )

    def failed_with_another_decoder(self, decoder: str) -> list[int]:
        """The numbers of the failed tracks that another version read last."""
        rows = self._database.execute(
            "SELECT id FROM tracks WHERE state = 'failed' AND decoder != ?", (decoder,)
        )
        return [row["id"] for row in rows]

    def known_files(self) -> list[KnownFile]:
        """All tracks, as far as a scan needs them."""
        rows = self._database.execute("SELECT id, path, content, size, mtime_ns, state, wav FROM tracks")
        rows.row_factory = None
        decode = os.fsdecode
        return [
            KnownFile(
                number, decode(path), content, size, time_ns, state, None if wav is None else decode(wav)
            )
            for number, path, content, size, time_ns, state, wav in rows
        ]

    def recent_tracks(self, *, state: str | None = None, limit: int | None = None) -> list[Track]:
        """The tracks, the last changed first; of one state, or of all."""
        rows = self._database.execute(
            "SELECT * FROM tracks WHERE :state IS NULL OR state = :state "
            "ORDER BY changed DESC, id DESC LIMIT :limit",
            {"state": state, "limit": -1 if limit is None else limit},
        )
        return [track_of_row(row) for row in rows]

    def recent_track_numbers(self, *, state: str | None = None) -> list[int]:
        """The numbers of the tracks, the last changed first; of one state, or of all."""
        where = "" if state is None else "WHERE state = :state "
        rows = self._database.execute(
            f"SELECT id FROM tracks {where}ORDER BY changed DESC, id DESC", {"state": state}
        )
        rows.row_factory = None
        return [number for (number,) in rows]

    def tracks_numbered(self, numbers: Iterable[int]) -> list[Track]:
        """The tracks with these numbers that are there still, in any order."""
        rows = self._database.execute(
            "SELECT * FROM tracks WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(numbers)),)
        )
        return [track_of_row(row) for row in rows]

    def track(self, track_id: int) -> Track | None:
        """The track with this number."""
        row = self._database.execute("SELECT * FROM tracks WHERE id = ?", (track_id,)).fetchone()
        return track_of_row(row) if row else None

    def track_at(self, path: Path) -> Track | None:
        """The track whose own file, WAV, caption or JSON is at this relative path."""
        name = os.fsencode(path)
        row = self._database.execute(
            "SELECT * FROM tracks WHERE path = :n OR wav = :n OR caption = :n OR info = :n "
            "ORDER BY path = :n DESC LIMIT 1",
            {"n": name},
        ).fetchone()
        return track_of_row(row) if row else None

    def has_track(self, path: Path) -> bool:
        """Whether the file at this relative path is a track's own."""
        row = self._database.execute("SELECT 1 FROM tracks WHERE path = ?", (os.fsencode(path),)).fetchone()
        return row is not None

    def tracks_with_content(self, content: str) -> list[Track]:
        """The tracks with the same bytes."""
        rows = self._database.execute("SELECT * FROM tracks WHERE content = ? ORDER BY id", (content,))
        return [track_of_row(row) for row in rows]

    def add_track(self, path: Path, content: str, size: int, mtime_ns: int) -> Track:
        """Write down a new file as waiting."""
        now = time.time()
        cursor = self._database.execute(
            "INSERT INTO tracks (path, content, size, mtime_ns, state, added, changed) "
            "VALUES (?, ?, ?, ?, 'waiting', ?, ?)",
            (os.fsencode(path), content, size, mtime_ns, now, now),
        )
        track = self.track(int(cursor.lastrowid or 0))
        assert track is not None
        return track

    def update_track(self, track_id: int, **values: Any) -> None:
        """Change columns of a track; paths may be `Path` or None."""
        values["changed"] = time.time()
        assignments = ", ".join(f"{name} = ?" for name in values)
        row = [os.fsencode(value) if isinstance(value, Path) else value for value in values.values()]
        self._database.execute(f"UPDATE tracks SET {assignments} WHERE id = ?", (*row, track_id))

    def remove_track(self, track_id: int) -> None:
        """Forget a track with its proposals, decisions and fingerprint."""
        with self.transaction():
            self._forget_fingerprint(track_id)
            self._database.execute("DELETE FROM tracks WHERE id = ?", (track_id,))

    def counts(self) -> list[tuple[str, str, int, float]]:
        """Tracks as (first folder or "", state, number, seconds)."""
        totals: dict[tuple[str, str], tuple[int, float]] = {}
        query = (
            "SELECT CASE instr(path, x'2f') WHEN 0 THEN x'' "
            "ELSE substr(path, 1, instr(path, x'2f') - 1) END, state, count(*), coalesce(sum(duration), 0) "
            "FROM tracks GROUP BY 1, 2"
        )
        for folder, state, number, seconds in self._database.execute(query):
            totals[os.fsdecode(folder), state] = (number, seconds)
        return [(folder, state, *total) for (folder, state), total in sorted(totals.items())]
