"""Decisions about tracks: in the ledger before any file moves, and undone one step at a time."""

from __future__ import annotations

import difflib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from assistant.errors import CallError, FileError
from assistant.i18n import _
from assistant.label.carry import Carrier, RewriteCaption
from assistant.label.queue import review_queue
from assistant.library.ledger import Decision, Track
from assistant.library.library import Library
from assistant.library.moves import OnStep, plan_move, plan_rename

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
        self.problems: list[FileError] = []
        self._carrier = Carrier(library, rewrite, on_step, self.problems)

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
                    decisions.append(self._carrier.take(track, "rename", moves, genre, decider, step))
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
            return self._each(reversed(ledger.decisions(states=("done",), step=step)), self._carrier.undo)[-1]

    def redo(self) -> Decision | None:
        """Take the last undone step again and return its first decision; None when there is none."""
        with self._locked():
            ledger = self._library.ledger
            step = ledger.first_undone_step()
            if step is None:
                return None
            return self._each(ledger.decisions(states=("undone",), step=step), self._carrier.redo)[0]

    def recover(self) -> int:
        """Finish what a crash has left half done; returns how many decisions that were."""
        with self._locked(recover=False):
            return self._carrier.recover()

    def _label(self, track: Track, genre: str, decider: str, step: int | None) -> Decision:
        moves = plan_move(self._library, self._idle(track), genre)
        return self._carrier.take(track, "label", moves, genre, decider, step)

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
            return self._carrier.take(self._track(track_id), action, [], None, decider, None)

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
                self._carrier.recover()
            yield
        finally:
            os.close(descriptor)
