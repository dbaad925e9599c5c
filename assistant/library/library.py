"""One music folder: where its parts lie, and its ledger."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.config import Settings
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _
from assistant.library.host import silent_file_system

if TYPE_CHECKING:
    from assistant.library.ledger import Ledger

LIBRARY_VARIABLE = "MUSICHELPER_LIBRARY"
STATE_FOLDER = ".musichelper"


class LibraryUnavailable(MusicHelperError):
    """The music folder is not there or cannot be read: its disk may come back."""


@dataclass(frozen=True)
class LibraryPaths:
    """The places of a library on disk."""

    root: Path

    @property
    def state(self) -> Path:
        """Everything that is not the person's music."""
        return self.root / STATE_FOLDER

    @property
    def ledger(self) -> Path:
        """The SQLite file."""
        return self.state / "ledger.db"

    @property
    def classifier(self) -> Path:
        """One folder for each trained version."""
        return self.state / "classifier"

    @property
    def tokens(self) -> Path:
        """EnCodec tokens."""
        return self.state / "tokens"

    @property
    def runs(self) -> Path:
        """One folder for each long job."""
        return self.state / "runs"

    @property
    def models(self) -> Path:
        """The library's own models."""
        return self.state / "models"

    @property
    def clips(self) -> Path:
        """Generated audio."""
        return self.state / "clips"

    @property
    def trash(self) -> Path:
        """Rejected clips."""
        return self.state / "trash"

    @property
    def quarantine(self) -> Path:
        """What could not be read, and why: JSON lines."""
        return self.state / "quarantine.jsonl"

    @property
    def refused(self) -> Path:
        """Music names that are no readable files, as the last scan found them."""
        return self.state / "refused.json"

    @property
    def watch_lock(self) -> Path:
        """Held by the one watcher."""
        return self.state / "watch.lock"

    @property
    def learning_lock(self) -> Path:
        """Held by the process in which the classifier learns from decisions."""
        return self.state / "learning.lock"

    @property
    def learning_log(self) -> Path:
        """What the last such process in the background said."""
        return self.state / "learning.log"


class Library:
    """A music folder in use. Cheap to make; the ledger is opened when it is first needed.

    A library belongs to one thread; another thread opens its own.
    """

    def __init__(self, root: Path, settings: Settings | None = None) -> None:
        self.root = root.absolute()
        self.settings = settings or Settings()
        self.paths = LibraryPaths(self.root)

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @cached_property
    def ledger(self) -> Ledger:
        """The open ledger; made when there is none yet.

        Raises `LibraryUnavailable` where the folder is not there, or is empty.
        """
        try:
            # An empty folder may be the place where a disk is to be mounted.
            if not any(self.root.iterdir()):
                raise _is_empty(self.root)
            self.paths.state.mkdir(exist_ok=True)
        except FileNotFoundError as error:
            raise LibraryUnavailable(
                _("The library {root} is not there.").format(root=self.root),
                _("Check that its disk is mounted; nothing was forgotten."),
            ) from error
        from assistant.library.ledger import Ledger

        ledger = Ledger(self.paths.ledger)
        self._place = self._look()
        return ledger

    def check_place(self) -> None:
        """See that the folder is still the one whose ledger is open: its disk may have gone meanwhile.

        Raises `LibraryUnavailable` where it is not.
        """
        if "ledger" not in self.__dict__:
            self.ledger  # noqa: B018 - opened here
        hint = _("Check that its disk is mounted; nothing was forgotten.")
        try:
            now = self._look()
        except OSError as error:
            if not self.root.is_dir():
                title = _("The library {root} is not there.").format(root=self.root)
            elif isinstance(error, FileNotFoundError):
                raise _is_empty(self.root) from error
            else:
                title = _("The library {root} cannot be read: {reason}.").format(
                    root=self.root, reason=error.strerror
                )
            raise LibraryUnavailable(title, hint) from error
        moved = now != self._place
        if moved and now[0] == self._place[0] and silent_file_system(self.root):
            moved = False  # such file systems may number a folder anew at any time
        if moved:
            raise LibraryUnavailable(
                _("The library {root} is another folder than before.").format(root=self.root), hint
            )

    def _look(self) -> tuple[int, int, int]:
        root, ledger = self.root.stat(), self.paths.ledger.stat()
        return root.st_dev, root.st_ino, ledger.st_ino

    @property
    def unlabelled(self) -> str:
        """The name of the folder for tracks without a genre (`unknow`)."""
        return self.settings.library.unlabelled

    def close(self) -> None:
        """Close the ledger if it was opened."""
        if "ledger" in self.__dict__:
            self.ledger.close()
            del self.__dict__["ledger"]

    def relative(self, path: Path) -> Path:
        """The path as the ledger names it. Raises `CallError` for a file outside the library."""
        try:
            return Path(os.path.abspath(path)).relative_to(self.root)  # noqa: PTH100 - keeps symbolic links
        except ValueError:
            raise CallError(
                _("{path} is not in the library {root}.").format(path=path, root=self.root),
                _("Copy the file into one of its folders first, or name another --library."),
            ) from None

    def genres(self) -> list[str]:
        """The genre folders that exist, sorted: each folder but the unlabelled and hidden ones."""
        return sorted(
            entry.name
            for entry in os.scandir(self.root)
            if entry.is_dir(follow_symlinks=False)
            and not entry.name.startswith(".")
            and entry.name != self.unlabelled
        )

    def genre_of(self, path: Path) -> str | None:
        """The genre of a path relative to the root: its first folder, or None where it has none."""
        folder = path.parts[0] if len(path.parts) > 1 else None
        return None if folder == self.unlabelled else folder


def create_library(root: Path, settings: Settings | None = None) -> Library:
    """Make the genre folders, the unlabelled one and the state folder; what exists is left alone."""
    library = Library(root, settings)
    try:
        for name in (*library.settings.library.genres, library.unlabelled):
            (library.root / name).mkdir(parents=True, exist_ok=True)
        library.paths.state.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CallError(
            _("The library {root} cannot be made: {reason}.").format(root=root, reason=error.strerror),
            _("Choose a folder that you may write to."),
        ) from error
    library.ledger.integrity()
    return library


def _is_empty(root: Path) -> LibraryUnavailable:
    return LibraryUnavailable(
        _("The library {root} is empty: its ledger is not there.").format(root=root),
        _(
            "Check that its disk is mounted; nothing was forgotten. Or make a library there: "
            "`musichelper init {root}`."
        ).format(root=root),
    )


def find_library(named: Path | None, settings: Settings) -> Library:
    """The library that is meant: named, or of the environment, or around this folder, or configured.

    Raises `CallError` where there is none.
    """
    if named is None and os.environ.get(LIBRARY_VARIABLE):
        named = Path(os.environ[LIBRARY_VARIABLE])
    if named is None:
        here = Path.cwd()
        named = next((folder for folder in (here, *here.parents) if (folder / STATE_FOLDER).is_dir()), None)
    if named is None and settings.library.folder:
        named = Path(settings.library.folder).expanduser()
    if named is None:
        raise CallError(
            _("No library is named and there is none here."),
            _("Make one with `musichelper init DIR`, or name one with --library DIR."),
        )
    if not named.is_dir():
        raise CallError(
            _("The library {root} does not exist.").format(root=named),
            _("Make it with `musichelper init {root}`.").format(root=named),
        )
    return Library(named, settings)
