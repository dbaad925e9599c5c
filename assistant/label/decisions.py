"""Decisions about tracks: in the ledger before any file moves, and undone one step at a time.

A decision goes through these steps; killed between any two, `recover` carries on from there:
planned in the ledger, files moved, the track's row changed, the caption rewritten, done.
"""

from __future__ import annotations

import difflib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.errors import CallError, FileError, MusicHelperError
from assistant.files import maker_of_temporary
from assistant.i18n import _
from assistant.label.queue import review_queue
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

LOCK_NAME = "label.lock"


def rewrite_caption(library: Library, track: Track) -> None:
    """Write the genre of a track into its caption and JSON."""
    from assistant.caption import rewrite_caption as rewrite

    rewrite(library, track)


def _no_step(_name: str) -> None:
    pass


class Labeller:
    """Takes the decisions of one library. Several at once, also in other processes, wait for each other.

    `problems` collects what went wrong with single files while the rest went on. `on_step` hears of
    each step, and stands in tests for the moment at which the machine stops.
    """

    def __init__(
        self,
        library: Library,
        *,
        rewrite: RewriteCaption = rewrite_caption,
        on_step: OnStep = _no_step,
    ) -> None:
        self._library = library
        self._rewrite = rewrite
        self._on_step = on_step
        self.problems: list[FileError] = []

    def label(self, track_id: int, genre: str, decider: str = "person") -> Decision:
        """Put a track into a genre folder; all its files move together.

        Raises `CallError` for an unknown track or genre and `FileError` where the files cannot move
        (nothing has changed then).
        """
        with self._locked():
            return self._label(self._track(track_id), self._known(genre), decider, None)

    def label_many(self, genres: Iterable[tuple[int, str]], decider: str = "person") -> list[Decision]:
        """Label tracks in one undo step. What cannot be moved is in `problems`."""
        with self._locked():
            wanted = [(self._track(track_id), self._known(genre)) for track_id, genre in genres]
            step = self._library.ledger.next_step()
            decisions = []
            for track, genre in wanted:
                try:
                    decisions.append(self._label(track, genre, decider, step))
                except FileError as error:
                    self.problems.append(error)
            return decisions

    def accept_above(self, probability: float, decider: str = "person") -> list[Decision]:
        """Accept each waiting proposal of at least this probability, as one undo step."""
        return self.label_many(self.acceptable(probability), decider)

    def acceptable(self, probability: float) -> list[tuple[int, str]]:
        """What `accept_above` would do: track numbers with their genres, the surest first."""
        return [
            (item.track.id, item.proposal.genre)
            for item in review_queue(self._library, order="confident")
            if item.proposal and item.proposal.probability >= probability
        ]

    def rename_many(self, stems: Iterable[tuple[int, str]], decider: str = "person") -> list[Decision]:
        """Give tracks other names, with all their files, as one undo step; the genre stays.

        A stem is a file name without its suffix. What cannot be renamed is in `problems`.
        """
        with self._locked():
            step = self._library.ledger.next_step()
            decisions = []
            for track_id, stem in stems:
                try:
                    track = self._idle(self._track(track_id))
                    moves = plan_rename(self._library, track, stem)
                    if not moves:
                        continue
                    genre = self._library.genre_of(track.path)
                    decision = self._write_down(track, "rename", moves, genre, decider, step)
                    self._on_step("planned")
                    decisions.append(self._carry_out(decision))
                except FileError as error:
                    self.problems.append(error)
            return decisions

    def skip(self, track_id: int, decider: str = "person") -> Decision:
        """Leave a track for later: it goes to the end of the queue."""
        return self._remark(track_id, "skip", decider)

    def flag(self, track_id: int, decider: str = "person") -> Decision:
        """Mark a track for another look: it leaves the queue."""
        return self._remark(track_id, "flag", decider)

    def reject(self, track_id: int, decider: str = "person") -> Decision:
        """None of the genres: the track stays where it is and leaves the queue."""
        return self._remark(track_id, "reject", decider)

    def undo(self) -> Decision | None:
        """Take the last step back and return its first decision; None when there is none left.

        Raises `FileError` where its files cannot go back; in a step of several, such ones are in
        `problems` as long as any other could.
        """
        with self._locked():
            ledger = self._library.ledger
            step = ledger.last_step()
            if step is None:
                return None
            return self._each(reversed(ledger.decisions(states=("done",), step=step)), self._undo)[-1]

    def redo(self) -> Decision | None:
        """Take the last undone step again and return its first decision; None when there is none."""
        with self._locked():
            ledger = self._library.ledger
            step = ledger.first_undone_step()
            if step is None:
                return None
            return self._each(ledger.decisions(states=("undone",), step=step), self._redo)[0]

    def recover(self) -> int:
        """Finish what a crash has left half done; returns how many decisions that were."""
        with self._locked(recover=False):
            return self._recover()

    # One decision

    def _label(self, track: Track, genre: str, decider: str, step: int | None) -> Decision:
        moves = plan_move(self._library, self._idle(track), genre)
        decision = self._write_down(track, "label", moves, genre, decider, step)
        self._on_step("planned")
        return self._carry_out(decision)

    def _idle(self, track: Track) -> Track:
        if track.state == "working":
            raise FileError(
                self._library.root / track.path,
                _("{path} is being converted at the moment.").format(path=track.path),
                _("Label it when it is ready."),
            )
        return track

    def _remark(self, track_id: int, action: str, decider: str) -> Decision:
        with self._locked():
            decision = self._write_down(self._track(track_id), action, [], None, decider, None)
            return self._mark(decision, "done")

    def _write_down(
        self, track: Track, action: str, moves: Moves, genre: str | None, decider: str, step: int | None
    ) -> Decision:
        ledger = self._library.ledger
        with ledger.transaction():
            if step is None:
                step = ledger.next_step()
            ledger.forget_steps()
            return ledger.add_decision(
                track,
                action=action,
                genre_from=self._library.genre_of(track.path),
                genre_to=genre,
                moves=moves,
                decider=decider,
                proposal=ledger.proposal(track.id),
                step=step,
            )

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
        revert_what_moved(self._library.root, decision.moves)
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
                    self.problems.append(_uncaptioned(self._library.root / track.path, error))
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

    def _mark(self, decision: Decision, state: str) -> Decision:
        ledger = self._library.ledger
        ledger.set_decision_state(decision.id, state)
        self._on_step(state)
        return self._decision(decision.id)

    # Back and forth

    def _undo(self, decision: Decision) -> Decision:
        if not decision.moves:
            return self._mark(decision, "undone")
        self._check_in_place(decision, decision.moves[0][1])
        moves = plan_return(self._library, decision.moves)
        self._library.ledger.set_decision_state(decision.id, "undoing", moves)
        self._on_step("undoing")
        return self._return(decision, moves)

    def _return(self, decision: Decision, moves: Moves) -> Decision:
        try:
            revert(self._library.root, moves, self._on_step)
        except (OSError, FileError) as error:
            revert_what_moved(self._library.root, [(to, origin) for origin, to in moves])
            self._library.ledger.set_decision_state(decision.id, "done", decision.moves)
            if isinstance(error, FileError):
                raise
            raise _unmovable(self._library.root / moves[0][1], error) from error
        return self._finish(decision, [(to, origin) for origin, to in moves], "undone")

    def _redo(self, decision: Decision) -> Decision:
        if not decision.moves:
            return self._mark(decision, "done")
        self._check_in_place(decision, decision.moves[0][0])
        track = self._track(decision.track)
        if decision.action == "rename":
            moves = plan_rename(self._library, track, decision.moves[0][1].stem)
        else:
            moves = plan_move(self._library, track, decision.genre_to)
        self._library.ledger.set_decision_state(decision.id, "planned", moves)
        self._on_step("planned")
        return self._carry_out(self._decision(decision.id))

    def _check_in_place(self, decision: Decision, expected: Path) -> None:
        track = self._library.ledger.track(decision.track)
        if track is not None and track.path == expected and os.path.lexists(self._library.root / expected):
            return
        self._library.ledger.forget_steps(decision_id=decision.id)
        raise FileError(
            self._library.root / expected,
            _("{path} has been moved or deleted since that decision.").format(path=expected),
            _("This decision stays as it is; the next undo takes the one before it."),
        )

    def _recover(self) -> int:
        """Call under the lock only: what is half done there belongs to nobody alive."""
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
                self.problems.append(error)
        return len(broken)

    def _clear_temporaries(self, moves: Moves) -> None:
        """Remove the copies that a dead process was making in the folders of these moves."""
        for folder in {self._library.root / path.parent for move in moves for path in move}:
            for path in folder.iterdir() if folder.is_dir() else ():
                maker = maker_of_temporary(path.name)
                if maker is not None and not _alive(maker):
                    path.unlink(missing_ok=True)

    # Small things

    def _each(self, decisions: Iterable[Decision], act: Callable[[Decision], Decision]) -> list[Decision]:
        done, failed = [], []
        for decision in decisions:
            try:
                done.append(act(decision))
            except FileError as error:
                failed.append(error)
        if not done:
            raise failed[0]
        self.problems += failed
        return done

    def _decision(self, decision_id: int) -> Decision:
        decision = self._library.ledger.decision(decision_id)
        assert decision is not None
        return decision

    def _track(self, track_id: int) -> Track:
        track = self._library.ledger.track(track_id)
        if track is None:
            raise CallError(
                _("There is no track with the number {number}.").format(number=track_id),
                _("`musichelper label list` shows the tracks that wait for a genre."),
            )
        return track

    def _known(self, genre: str) -> str:
        known = sorted({*self._library.genres(), *self._library.settings.library.genres})
        if genre in known:
            return genre
        close = difflib.get_close_matches(genre, known, n=1)
        raise CallError(
            _("There is no genre {genre}.").format(genre=genre),
            _("Did you mean {genre}?").format(genre=close[0])
            if close
            else _("A genre is a folder of the library. These are there: {genres}.").format(
                genres=", ".join(known)
            ),
        )

    @contextmanager
    def _locked(self, *, recover: bool = True) -> Iterator[None]:
        state = self._library.paths.state
        state.mkdir(exist_ok=True)
        descriptor = os.open(state / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if recover:
                self._recover()
            yield
        finally:
            os.close(descriptor)


def revert_what_moved(root: Path, moves: Moves) -> None:
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
