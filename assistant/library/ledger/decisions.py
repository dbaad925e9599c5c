"""The classifier's proposals and the person's decisions."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from assistant.library.ledger.database import Database
from assistant.library.ledger.rows import (
    Decision,
    Proposal,
    Track,
    decision_of_row,
    genre_to_column,
    moves_as_json,
    proposal_of_row,
)

_WITHOUT_GENRE = "(path >= :first AND path < :after OR instr(path, x'2f') = 0)"


class Decisions(Database):
    """Proposals, and decisions with their steps for undo and redo."""

    # Proposals

    def set_proposals(self, proposals: Iterable[Proposal]) -> None:
        """Write proposals, replacing older ones of the same tracks."""
        with self.transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO proposals (track, version, genre, probability, top, made, agreement, "
                "strangeness, likely) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        p.track,
                        p.version,
                        genre_to_column(p.genre),
                        p.probability,
                        json.dumps(p.top),
                        p.made,
                        p.agreement,
                        p.strangeness,
                        p.likely,
                    )
                    for p in proposals
                ],
            )

    def proposals(self, tracks: Collection[int] | None = None) -> dict[int, Proposal]:
        """The proposals by track number: all, or those for some tracks."""
        rows = self._database.execute(
            "SELECT * FROM proposals WHERE :tracks IS NULL "
            "OR track IN (SELECT value FROM json_each(:tracks))",
            {"tracks": None if tracks is None else json.dumps(list(tracks))},
        )
        return {row["track"]: proposal_of_row(row) for row in rows}

    def unproposed_tracks(self, version: str, unlabelled: str) -> list[int]:
        """Numbers of ready tracks without a genre and without a proposal of this version since they changed.

        Those are tracks right in the root and below the folder `unlabelled`; the order is by path.
        """
        rows = self._database.execute(
            "SELECT id FROM tracks LEFT JOIN proposals ON proposals.track = tracks.id "
            f"WHERE tracks.state = 'ready' AND {_WITHOUT_GENRE} AND wav IS NOT NULL AND NOT "
            "(coalesce(proposals.version, '') = :version AND coalesce(proposals.made, 0) >= tracks.changed) "
            "ORDER BY path",
            {**_folder_limits(unlabelled), "version": version},
        )
        rows.row_factory = None
        return [number for (number,) in rows]

    def proposal(self, track_id: int) -> Proposal | None:
        """The proposal for a track."""
        row = self._database.execute("SELECT * FROM proposals WHERE track = ?", (track_id,)).fetchone()
        return proposal_of_row(row) if row else None

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
                _as_text(genre_from),
                _as_text(genre_to),
                moves_as_json(moves),
                decider,
                _as_text(proposal.genre) if proposal else None,
                proposal.probability if proposal else None,
                self.next_step() if step is None else step,
                time.time(),
            ),
        )
        row = self._database.execute("SELECT * FROM decisions WHERE id = ?", (cursor.lastrowid,)).fetchone()
        return decision_of_row(row)

    def next_step(self) -> int:
        """A number for decisions that shall be undone together."""
        return int(self._database.execute("SELECT coalesce(max(step), 0) + 1 FROM decisions").fetchone()[0])

    def set_decision_state(
        self, decision_id: int, state: str, moves: list[tuple[Path, Path]] | None = None
    ) -> None:
        """Mark a decision planned, done, undoing or undone, with new moves where there are any."""
        self._database.execute(
            "UPDATE decisions SET state = ?, moves = coalesce(?, moves) WHERE id = ?",
            (state, None if moves is None else moves_as_json(moves), decision_id),
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
        return decision_of_row(row) if row else None

    def was_decided(self, track_id: int, genre: str | None) -> bool:
        """Whether a decision in force gave the track this genre."""
        row = self._database.execute(
            "SELECT genre_to FROM decisions WHERE track = ? AND state IN ('planned', 'done') "
            "AND action = 'label' ORDER BY id DESC LIMIT 1",
            (track_id,),
        ).fetchone()
        return row is not None and row["genre_to"] == genre

    def kept_proposals(self) -> tuple[int, int]:
        """Labels in force by the person that are what was proposed, and all where something was proposed."""
        row = self._database.execute(
            "SELECT coalesce(sum(genre_to = proposed), 0), count(*) FROM decisions WHERE state = 'done' "
            "AND action = 'label' AND decider = 'person' AND proposed IS NOT NULL"
        ).fetchone()
        return int(row[0]), int(row[1])

    def waiting_counts(self, unlabelled: str, version: str = "") -> tuple[int, int, int]:
        """Ready tracks without a genre that are neither flagged nor rejected, and how many have a proposal.

        Those are the tracks right in the root and below the folder `unlabelled`. Last comes the number of
        the proposals that one version of the classifier made.
        """
        row = self._database.execute(
            "SELECT count(*), count(proposals.track), coalesce(sum(proposals.version = :version), 0) "
            "FROM tracks LEFT JOIN proposals "
            f"ON proposals.track = tracks.id WHERE tracks.state = 'ready' AND {_WITHOUT_GENRE} "
            "AND tracks.id NOT IN ("
            "SELECT track FROM decisions WHERE action IN ('flag', 'reject') AND id IN ("
            "SELECT max(id) FROM decisions WHERE state = 'done' AND action != 'rename' GROUP BY track))",
            {**_folder_limits(unlabelled), "version": version},
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def labelled_since(self, moment: float) -> int:
        """The number of labels in force that the person gave after a Unix time."""
        return int(
            self._database.execute(
                "SELECT count(*) FROM decisions WHERE state = 'done' AND action = 'label' "
                "AND decider = 'person' AND made > ?",
                (moment,),
            ).fetchone()[0]
        )

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
        return [decision_of_row(row) for row in rows]


def _folder_limits(unlabelled: str) -> dict[str, bytes]:
    folder = os.fsencode(unlabelled) + b"/"
    return {"first": folder, "after": folder[:-1] + b"0"}  # "0" follows "/" in ASCII


def _as_text(genre: str | None) -> str | None:
    r"""A genre folder's name as SQLite takes it: bytes that are no UTF-8 become `\xNN`."""
    return None if genre is None else os.fsencode(genre).decode("utf-8", "backslashreplace")
