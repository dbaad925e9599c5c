"""What tracks sound like, and which sound the same."""

from __future__ import annotations

from assistant.library.ledger.database import Database
from assistant.library.ledger.rows import Track, track_of_row


class Fingerprints(Database):
    """The fingerprints of tracks, and an index of their landmarks."""

    def set_fingerprint(self, track_id: int, data: bytes, same_as: int | None) -> None:
        """Write down what a track sounds like, in place of what it sounded like before."""
        from assistant.audio.fingerprint import landmarks

        with self.transaction():
            self._forget_fingerprint(track_id)
            self._database.execute(
                "INSERT INTO fingerprints (track, data, same_as) VALUES (?, ?, ?)", (track_id, data, same_as)
            )
            hashes = landmarks(data)[0].tolist()
            self._database.executemany(
                "INSERT OR IGNORE INTO landmarks (hash, track) VALUES (?, ?)",
                [(value, track_id) for value in hashes],
            )

    def _forget_fingerprint(self, track_id: int) -> None:
        from assistant.audio.fingerprint import landmarks

        row = self._database.execute("SELECT data FROM fingerprints WHERE track = ?", (track_id,)).fetchone()
        if row is None:
            return
        # Its copies stay together: the first of them takes its place.
        heir = self._database.execute(
            "SELECT min(track) FROM fingerprints WHERE same_as = ?", (track_id,)
        ).fetchone()[0]
        self._database.execute(
            "UPDATE fingerprints SET same_as = nullif(?, track) WHERE same_as = ?", (heir, track_id)
        )
        self._database.executemany(
            "DELETE FROM landmarks WHERE hash = ? AND track = ?",
            [(value, track_id) for value in landmarks(row["data"])[0].tolist()],
        )
        self._database.execute("DELETE FROM fingerprints WHERE track = ?", (track_id,))

    def fingerprint(self, track_id: int) -> tuple[bytes, int | None] | None:
        """What a track sounds like, and the earlier track that sounds the same."""
        row = self._database.execute(
            "SELECT data, same_as FROM fingerprints WHERE track = ?", (track_id,)
        ).fetchone()
        return (row["data"], row["same_as"]) if row else None

    def tracks_with_landmarks(self, hashes: list[int], limit: int) -> list[int]:
        """The tracks that have most of these hashes, first those with more of them."""
        marks = ", ".join("?" * len(hashes))
        rows = self._database.execute(
            f"SELECT track FROM landmarks WHERE hash IN ({marks}) GROUP BY track "
            "ORDER BY count(*) DESC, track LIMIT ?",
            (*hashes, limit),
        )
        return [int(row["track"]) for row in rows]

    def tracks_without_fingerprint(self) -> list[Track]:
        """The ready tracks whose sound is not known yet."""
        rows = self._database.execute(
            "SELECT * FROM tracks WHERE state = 'ready' AND wav IS NOT NULL "
            "AND id NOT IN (SELECT track FROM fingerprints) ORDER BY id"
        )
        return [track_of_row(row) for row in rows]

    def duplicates(self) -> list[tuple[int, int, bool]]:
        """Pairs of a track and an earlier one with the same bytes (true) or the same sound."""
        rows = self._database.execute(
            "SELECT t.id, min(e.id), 1 FROM tracks t JOIN tracks e ON e.content = t.content "
            "WHERE e.id < t.id AND t.state != 'missing' AND e.state != 'missing' GROUP BY t.id "
            "UNION ALL SELECT f.track, f.same_as, 0 FROM fingerprints f JOIN tracks t ON t.id = f.track "
            "WHERE f.same_as IS NOT NULL AND t.state != 'missing'"
        )
        return [(int(track), int(earlier), bool(exact)) for track, earlier, exact in rows]
