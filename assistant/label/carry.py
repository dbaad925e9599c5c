"""How one decision is carried out, taken back, and finished after a crash.

A decision goes through these steps; killed between any two, `recover` carries on from there:
planned in the ledger, files moved, the track's row changed, the caption rewritten, done.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.errors import FileError, MusicHelperError
from assistant.files import maker_of_temporary
from assistant.i18n import _
from assistant.library.ledger import Decision, Track
from assistant.library.library import Library
from assistant.library.moves import (
    Moves,
    OnStep,
    apply_moves,
    moved,
    plan_move,
    plan_rename,
    plan_return,
    revert,
)

RewriteCaption = Callable[[Library, Track], Any]


class Carrier:
    """Carries out the decisions of one library, under the lock of its `Labeller`.

    `problems` gets what went wrong with single files while the rest went on; `on_step` hears of each step.
    """

    def __init__(
        self, library: Library, rewrite: RewriteCaption, on_step: OnStep, problems: list[FileError]
    ) -> None:
        self._library = library
        self._rewrite = rewrite
        self._on_step = on_step
        self._problems = problems

    def take(
        self, track: Track, action: str, moves: Moves, genre: str | None, decider: str, step: int | None
    ) -> Decision:
        """Write a decision down and carry it out; without a `step` it is one to undo by itself.

        Raises `FileError` where the files cannot move; nothing has changed then.
        """
        ledger = self._library.ledger
        with ledger.transaction():
            if step is None:
                step = ledger.next_step()
            ledger.forget_steps()
            decision = ledger.add_decision(
                track,
                action=action,
                genre_from=self._library.genre_of(track.path),
                genre_to=genre,
                moves=moves,
                decider=decider,
                proposal=ledger.proposal(track.id),
                step=step,
            )
        if not moves:
            return self._mark(decision, "done")
        self._on_step("planned")
        return self._carry_out(decision)

    def undo(self, decision: Decision) -> Decision:
        """Take a done decision back. Raises `FileError` where its files cannot go back."""
        if not decision.moves:
            return self._mark(decision, "undone")
        self._in_place(decision, decision.moves[0][1])
        moves = plan_return(self._library, decision.moves)
        self._library.ledger.set_decision_state(decision.id, "undoing", moves)
        self._on_step("undoing")
        return self._return(decision, moves)

    def redo(self, decision: Decision) -> Decision:
        """Take an undone decision again. Raises `FileError` where its files cannot move."""
        if not decision.moves:
            return self._mark(decision, "done")
        track = self._in_place(decision, decision.moves[0][0])
        if decision.action == "rename":
            moves = plan_rename(self._library, track, decision.moves[0][1].stem)
        else:
            moves = plan_move(self._library, track, decision.genre_to)
        self._library.ledger.set_decision_state(decision.id, "planned", moves)
        self._on_step("planned")
        return self._carry_out(self._again(decision))

    def recover(self) -> int:
        """Finish what is half done, which under the lock belongs to nobody alive; returns how many."""
        ledger = self._library.ledger
        broken = ledger.decisions(states=("planned", "undoing"))
        for decision in broken:
            self._clear_temporaries(decision.moves)
            try:
                if decision.state == "planned":
                    self._carry_out(decision)
                else:
                    self._return(decision, decision.moves)
            except FileError as error:
                self._problems.append(error)
        return len(broken)

    # The parts

    def _carry_out(self, decision: Decision) -> Decision:
        """From planned to done; after a failure the files are back and the decision is undone."""
        try:
            apply_moves(self._library.root, decision.moves, self._on_step)
        except OSError as error:
            self._take_back(decision)
            raise _unmovable(self._library.root / decision.moves[0][0], error) from error
        except FileError:
            self._take_back(decision)
            raise
        return self._finish(decision, decision.moves, "done")

    def _take_back(self, decision: Decision) -> None:
        ledger = self._library.ledger
        _revert_what_moved(self._library.root, decision.moves)
        with ledger.transaction():
            ledger.set_decision_state(decision.id, "undone")
            ledger.forget_steps(decision_id=decision.id)

    def _finish(self, decision: Decision, moves: Moves, state: str) -> Decision:
        """The files have moved: the row, the caption, the mark."""
        ledger = self._library.ledger
        track = ledger.track(decision.track)
        if track is not None and moves:
            self._move_row(track, moves)
            self._on_step("row")
            track = ledger.track(track.id)
            assert track is not None
            if track.info is not None:  # a track not yet taken in gets its caption then
                try:
                    self._rewrite(self._library, track)
                except (MusicHelperError, OSError) as error:
                    self._problems.append(_uncaptioned(self._library.root / track.path, error))
            self._on_step("captioned")
        return self._mark(decision, state)

    def _move_row(self, track: Track, moves: Moves) -> None:
        ledger = self._library.ledger
        path = moved(track.path, moves)
        assert path is not None
        with ledger.transaction():
            double = ledger.track_at(path)
            # A scan between the moves and now has seen a new file where ours has just arrived.
            if double is not None and double.id != track.id and double.path == path:
                ledger.remove_track(double.id)
            ledger.update_track(
                track.id,
                path=path,
                wav=moved(track.wav, moves),
                caption=moved(track.caption, moves),
                info=moved(track.info, moves),
            )

    def _return(self, decision: Decision, moves: Moves) -> Decision:
        try:
            revert(self._library.root, moves, self._on_step)
        except (OSError, FileError) as error:
            _revert_what_moved(self._library.root, [(to, origin) for origin, to in moves])
            self._library.ledger.set_decision_state(decision.id, "done", decision.moves)
            if isinstance(error, FileError):
                raise
            raise _unmovable(self._library.root / moves[0][1], error) from error
        return self._finish(decision, [(to, origin) for origin, to in moves], "undone")

    def _mark(self, decision: Decision, state: str) -> Decision:
        ledger = self._library.ledger
        ledger.set_decision_state(decision.id, state)
        self._on_step(state)
        return self._again(decision)

    def _in_place(self, decision: Decision, expected: Path) -> Track:
        """The track where the decision has left it; `FileError` where it is there no more."""
        track = self._library.ledger.track(decision.track)
        if track is not None and track.path == expected and os.path.lexists(self._library.root / expected):
            return track
        self._library.ledger.forget_steps(decision_id=decision.id)
        raise FileError(
            self._library.root / expected,
            _("{path} has been moved or deleted since that decision.").format(path=expected),
            _("This decision stays as it is; the next undo takes the one before it."),
        )

    def _again(self, decision: Decision) -> Decision:
        changed = self._library.ledger.decision(decision.id)
        assert changed is not None
        return changed

    def _clear_temporaries(self, moves: Moves) -> None:
        """Remove the copies that a dead process was making in the folders of these moves."""
        for folder in {self._library.root / path.parent for move in moves for path in move}:
            for path in folder.iterdir() if folder.is_dir() else ():
                maker = maker_of_temporary(path.name)
                if maker is not None and not _alive(maker):
                    path.unlink(missing_ok=True)


def _revert_what_moved(root: Path, moves: Moves) -> None:
    """Bring back those files of a set that have moved, as far as that is possible."""
    for origin, target in reversed(moves):
        if os.path.lexists(root / target) and not os.path.lexists(root / origin):
            revert(root, [(origin, target)])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _unmovable(path: Path, error: OSError) -> FileError:
    return FileError(
        path,
        _("{path} could not be moved: {reason}.").format(path=path, reason=error.strerror or error),
        _("All its files are where they were. Check the rights and the free space of the folders."),
    )


def _uncaptioned(path: Path, error: Exception) -> FileError:
    return FileError(
        path,
        _("{path} has its new genre, but its caption could not be rewritten: {reason}.").format(
            path=path, reason=error
        ),
        _("Run `musichelper caption {path}` to write it again.").format(path=path),
    )
