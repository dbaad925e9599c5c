"""The library's memory: tracks, proposals, decisions and clips in one SQLite file."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.errors import MusicHelperError
from assistant.i18n import _

SCHEMA_VERSION = 1

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


@dataclass(frozen=True)
class Proposal:
    """What the classifier thinks of a track."""

    track: int
    version: str
    genre: str
    probability: float
    top: list[tuple[str, float]]
    made: float


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


class Ledger:
    """The open ledger. Each process and thread opens its own; writers wait for each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._database = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            self._database.row_factory = sqlite3.Row
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA foreign_keys = ON")
            self._upgrade()
        except sqlite3.DatabaseError as error:
            raise MusicHelperError(
                _("The ledger {path} cannot be opened: {reason}.").format(path=path, reason=error),
                _("Move the file away; it is made anew from the music folder."),
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def integrity(self) -> str:
        """SQLite's own check of the file: `ok`, or what is wrong."""
        return str(self._database.execute("PRAGMA quick_check").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is written together or not at all."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    # Tracks

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
        return [_track(row) for row in self._database.execute(query, values)]

    def recent_tracks(self, *, state: str | None = None, limit: int | None = None) -> list[Track]:
        """The tracks, the last changed first; of one state, or of all."""
        rows = self._database.execute(
            "SELECT * FROM tracks WHERE ?1 IS NULL OR state = ?1 ORDER BY changed DESC, id DESC LIMIT ?2",
            (state, -1 if limit is None else limit),
        )
        return [_track(row) for row in rows]

    def track(self, track_id: int) -> Track | None:
        """The track with this number."""
        row = self._database.execute("SELECT * FROM tracks WHERE id = ?", (track_id,)).fetchone()
        return _track(row) if row else None

    def track_at(self, path: Path) -> Track | None:
        """The track whose own file, WAV, caption or JSON is at this relative path."""
        name = os.fsencode(path)
        row = self._database.execute(
            "SELECT * FROM tracks WHERE path = :n OR wav = :n OR caption = :n OR info = :n "
            "ORDER BY path = :n DESC LIMIT 1",
            {"n": name},
        ).fetchone()
        return _track(row) if row else None

    def tracks_with_content(self, content: str) -> list[Track]:
        """The tracks with the same bytes."""
        rows = self._database.execute("SELECT * FROM tracks WHERE content = ? ORDER BY id", (content,))
        return [_track(row) for row in rows]

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
        """Forget a track with its proposals and decisions."""
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

    # Proposals

    def set_proposals(self, proposals: Iterable[Proposal]) -> None:
        """Write proposals, replacing older ones of the same tracks."""
        with self.transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO proposals (track, version, genre, probability, top, made) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [(p.track, p.version, p.genre, p.probability, json.dumps(p.top), p.made) for p in proposals],
            )

    def proposals(self) -> dict[int, Proposal]:
        """All proposals by track number."""
        return {row["track"]: _proposal(row) for row in self._database.execute("SELECT * FROM proposals")}

    def proposal(self, track_id: int) -> Proposal | None:
        """The proposal for a track."""
        row = self._database.execute("SELECT * FROM proposals WHERE track = ?", (track_id,)).fetchone()
        return _proposal(row) if row else None

    # Decisions

    def add_decision(
        self,
        track: Track,
        *,
        action: str,
        genre_from: str | None,
        genre_to: str | None,
        moves: list[tuple[Path, Path]],
        decider: str,
        proposal: Proposal | None,
        step: int | None = None,
    ) -> Decision:
        """Write a decision as planned, before anything is moved; a new step unless one is named."""
        cursor = self._database.execute(
            "INSERT INTO decisions (track, content, action, genre_from, genre_to, moves, state, decider, "
            "proposed, probability, step, made) VALUES (?, ?, ?, ?, ?, ?, 'planned', ?, ?, ?, ?, ?)",
            (
                track.id,
                track.content,
                action,
                genre_from,
                genre_to,
                _moves(moves),
                decider,
                proposal.genre if proposal else None,
                proposal.probability if proposal else None,
                self.next_step() if step is None else step,
                time.time(),
            ),
        )
        row = self._database.execute("SELECT * FROM decisions WHERE id = ?", (cursor.lastrowid,)).fetchone()
        return _decision(row)

    def next_step(self) -> int:
        """A number for decisions that shall be undone together."""
        return int(self._database.execute("SELECT coalesce(max(step), 0) + 1 FROM decisions").fetchone()[0])

    def set_decision_state(
        self, decision_id: int, state: str, moves: list[tuple[Path, Path]] | None = None
    ) -> None:
        """Mark a decision planned, done, undoing or undone, with new moves where there are any."""
        self._database.execute(
            "UPDATE decisions SET state = ?, moves = coalesce(?, moves) WHERE id = ?",
            (state, None if moves is None else _moves(moves), decision_id),
        )

    def forget_steps(self, *, decision_id: int | None = None) -> None:
        """Take one decision, or all undone ones, out of undo and redo; they stay as a record."""
        if decision_id is None:
            self._database.execute("UPDATE decisions SET step = NULL WHERE state = 'undone'")
        else:
            self._database.execute("UPDATE decisions SET step = NULL WHERE id = ?", (decision_id,))

    def last_step(self) -> int | None:
        """The step that an undo would take back."""
        return self._one_step("SELECT max(step) FROM decisions WHERE state = 'done'")

    def first_undone_step(self) -> int | None:
        """The step that a redo would take again."""
        return self._one_step("SELECT min(step) FROM decisions WHERE state = 'undone'")

    def _one_step(self, query: str) -> int | None:
        step = self._database.execute(query).fetchone()[0]
        return None if step is None else int(step)

    def decision(self, decision_id: int) -> Decision | None:
        """The decision with this number."""
        row = self._database.execute("SELECT * FROM decisions WHERE id = ?", (decision_id,)).fetchone()
        return _decision(row) if row else None

    def decisions(
        self,
        *,
        states: tuple[str, ...] = ("done",),
        step: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Decision]:
        """The decisions in these states, or those of them in one step, in the order they were made."""
        marks = ", ".join("?" * len(states))
        order = "DESC" if newest_first else "ASC"
        rows = self._database.execute(
            f"SELECT * FROM decisions WHERE state IN ({marks}) AND (? IS NULL OR step = ?) "
            f"ORDER BY id {order} LIMIT ?",
            (*states, step, step, -1 if limit is None else limit),
        )
        return [_decision(row) for row in rows]

    # Clips

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

    def _upgrade(self) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise MusicHelperError(
                _("The ledger {path} was written by a newer musichelper.").format(path=self.path),
                _("Update musichelper on this machine."),
            )
        if version == 0:
            schema = Path(__file__).with_name("schema.sql").read_text("utf-8")
            # Two processes may open a new library at once; the second waits and finds it done.
            with self.transaction():
                if self._database.execute("PRAGMA user_version").fetchone()[0] == 0:
                    for statement in schema.split(";\n"):
                        self._database.execute(statement)
                    self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _path(value: bytes | None) -> Path | None:
    return None if value is None else Path(os.fsdecode(value))


def _track(row: sqlite3.Row) -> Track:
    values = dict(row)
    for name in ("path", "wav", "caption", "info"):
        values[name] = _path(values[name])
    return Track(**values)


def _proposal(row: sqlite3.Row) -> Proposal:
    values = dict(row)
    values["top"] = [(genre, probability) for genre, probability in json.loads(values["top"])]
    return Proposal(**values)


def _moves(moves: list[tuple[Path, Path]]) -> str:
    return json.dumps([[str(a), str(b)] for a, b in moves])


def _decision(row: sqlite3.Row) -> Decision:
    values = dict(row)
    values["moves"] = [(Path(a), Path(b)) for a, b in json.loads(values["moves"])]
    return Decision(**values)
