"""The SQLite file: opened, brought up to date, written in transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.errors import MusicHelperError
from assistant.i18n import _

SCHEMA_VERSION = 5


class Database:
    """The open file. Each process and thread opens its own; writers wait for each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._database = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            self._database.row_factory = sqlite3.Row
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA foreign_keys = ON")
            self._upgrade()
        except sqlite3.OperationalError as error:
            raise MusicHelperError(
                _("The ledger {path} cannot be opened: {reason}.").format(path=path, reason=error),
                _("Make room on the disk and check that you may write to the folder."),
            ) from error
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
        """Everything inside is written together or not at all; one inside another is part of it."""
        if self._database.in_transaction:
            yield
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def check_writable(self) -> None:
        """Write nothing new, but write. Raises `sqlite3.OperationalError` where that fails."""
        with self.transaction():
            self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _upgrade(self) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise MusicHelperError(
                _("The ledger {path} was written by a newer musichelper.").format(path=self.path),
                _("Update musichelper on this machine."),
            )
        if version == SCHEMA_VERSION:
            return
        # Two processes may open a new library at once; the second waits and finds it done.
        with self.transaction():
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            for number in range(version + 1, SCHEMA_VERSION + 1):
                changes = Path(__file__).parent / "schema" / f"{number}.sql"
                for statement in changes.read_text("utf-8").split(";\n"):
                    self._database.execute(statement)
            self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
