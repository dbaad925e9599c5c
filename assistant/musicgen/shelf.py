"""What the person thinks of clips: ratings, favourites, notes, and the trash; everything can be undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assistant.errors import CallError, FileError, MusicHelperError
from assistant.i18n import _
from assistant.library.ledger import ClipRow, Opinion
from assistant.library.library import Library
from assistant.library.moves import apply_moves

HIGHEST_RATING = 5


class Shelf:
    """The clips of a library, as the person judges them. Each change is in the ledger when its call returns.

    A rejected clip's file is moved into the library's trash; nothing is ever deleted.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._ledger = library.ledger
        self._finish_moves()

    def find(self, path: Path) -> ClipRow:
        """The clip with this absolute path, kept or rejected. Raises `FileError` where there is none."""
        clip = self._ledger.clip_at(path)
        if clip is None:
            raise FileError(
                path,
                _("{path} is no clip of this library.").format(path=path),
                _("`musichelper clips list` names those there are."),
            )
        return clip

    def rate(self, clip_id: int, rating: int) -> ClipRow:
        """Give 1 to 5, or 0 for no rating."""
        if not 0 <= rating <= HIGHEST_RATING:
            raise CallError(
                _("A clip cannot be rated {rating}.").format(rating=rating),
                _("It must be {allowed}.").format(
                    allowed=_("between {low} and {high}").format(low=0, high=HIGHEST_RATING)
                ),
            )
        return self._change(clip_id, "rating", rating)

    def favour(self, clip_id: int, favourite: bool) -> ClipRow:
        """Make it a favourite, or one no longer."""
        return self._change(clip_id, "favourite", favourite)

    def annotate(self, clip_id: int, note: str) -> ClipRow:
        """Write a note beside it."""
        return self._change(clip_id, "note", note.strip())

    def reject(self, clip_id: int, rejected: bool = True) -> ClipRow:
        """Move its file into the trash, or back to its place.

        Raises `FileError` where the file is gone, `MusicHelperError` where its place is taken.
        """
        return self._change(clip_id, "rejected", rejected)

    def undo(self) -> Opinion | None:
        """Take the last change back; None where there is none."""
        return self._again(undone=False)

    def redo(self) -> Opinion | None:
        """Make the change again that was taken back last; None where there is none."""
        return self._again(undone=True)

    def _again(self, *, undone: bool) -> Opinion | None:
        opinion = self._ledger.opinion(undone=undone)
        if opinion is not None:
            self._set(self._clip(opinion.clip), opinion.what, opinion.after if undone else opinion.before)
            self._ledger.set_undone(opinion.id, not undone)
        return opinion

    def _change(self, clip_id: int, what: str, after: Any) -> ClipRow:
        clip = self._clip(clip_id)
        before = clip.trash is not None if what == "rejected" else getattr(clip, what)
        if before != after:
            self._set(clip, what, after)
            self._ledger.add_opinion(clip_id, what, before, after)
        return self._clip(clip_id)

    def _set(self, clip: ClipRow, what: str, value: Any) -> None:
        if what != "rejected":
            self._ledger.set_clip(clip.id, **{what: value})
        elif value:
            # The ledger knows the place first: a move that is cut off is finished by the next shelf.
            trash = self._library.paths.trash / f"{clip.id}-{clip.path.name}"
            if not clip.path.is_file():
                raise FileError(
                    clip.path,
                    _("{path} is no longer there.").format(path=clip.path),
                    _("It was moved or deleted by another program."),
                )
            self._ledger.set_clip(clip.id, trash=trash)
            apply_moves(Path("/"), [(clip.path, trash)])
        elif clip.trash is not None:
            try:
                apply_moves(Path("/"), [(clip.trash, clip.path)])
            except FileExistsError as error:
                raise MusicHelperError(
                    _("{path} cannot come back: another file has its name.").format(path=clip.path),
                    _("Rename that file first."),
                ) from error
            self._ledger.set_clip(clip.id, trash=None)

    def _clip(self, clip_id: int) -> ClipRow:
        clip = self._ledger.clip(clip_id)
        if clip is None:
            raise CallError(
                _("There is no clip number {number}.").format(number=clip_id),
                _("`musichelper clips list` names those there are."),
            )
        return clip

    def _finish_moves(self) -> None:
        for clip in self._ledger.clips(rejected=True):
            if clip.trash is not None and not clip.trash.exists() and clip.path.is_file():
                apply_moves(Path("/"), [(clip.path, clip.trash)])
