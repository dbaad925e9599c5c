"""What a command says: documents on standard output, words on standard error."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from assistant.config import Settings
from assistant.errors import FileError, MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library, find_library

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass
class Context:
    """What each command gets: the arguments, the settings, and the library when it asks for it."""

    arguments: argparse.Namespace
    settings: Settings

    @cached_property
    def library(self) -> Library:
        """The library that the call means."""
        return find_library(self.arguments.library, self.settings)

    @property
    def json(self) -> bool:
        """Whether `--json` was given."""
        return bool(getattr(self.arguments, "json", False))

    @cached_property
    def console(self) -> Console:
        """Where the command speaks."""
        return Console()


class Console:
    """Documents for programs, words for people, and a line that shows progress on a terminal."""

    def __init__(self, out: TextIO | None = None, words: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._words = words or sys.stderr
        self._progress_width = 0

    def document(self, value: Any) -> None:
        """Print one JSON value on a line of its own, at once."""
        print(json_text(value), file=self._out, flush=True)

    def result(self, text: str) -> None:
        """Print what was asked for."""
        self.clear()
        print(printable(text), file=self._out, flush=True)

    def say(self, text: str) -> None:
        """Print words about what happens."""
        self.clear()
        print(printable(text), file=self._words, flush=True)

    def progress(self, text: str) -> None:
        """Show a line in place of the last such line; nothing where the words go to a file."""
        if not self._words.isatty():
            return
        line = fitted(printable(text), shutil.get_terminal_size().columns - 1)
        self._words.write("\r" + line + " " * max(0, self._progress_width - width(line)))
        self._words.flush()
        self._progress_width = width(line)

    def clear(self) -> None:
        """Take the progress line away."""
        if self._progress_width:
            self._words.write("\r" + " " * self._progress_width + "\r")
            self._words.flush()
            self._progress_width = 0

    def error(self, error: MusicHelperError) -> None:
        """Say what went wrong and what to do."""
        prefix = f"{error.path}: " if isinstance(error, FileError) else ""
        self.say(f"{prefix}{error.title}")
        if error.hint:
            self.say(f"  {error.hint}")

    def table(self, rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """Print rows with aligned columns; `right` numbers the columns of figures."""
        for line in table_lines(rows, right=right):
            self.result(line)


def table_lines(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows as lines of aligned columns, by terminal cells."""
    rows = [[printable(cell) for cell in row] for row in rows]
    columns = max((len(row) for row in rows), default=0)
    widths = [max((width(row[i]) for row in rows if i < len(row)), default=0) for i in range(columns)]
    lines = []
    for row in rows:
        cells = []
        for i, cell in enumerate(row):
            space = " " * (widths[i] - width(cell))
            cells.append(space + cell if i in right else cell + space)
        lines.append("  ".join(cells).rstrip())
    return lines


def json_text(value: Any) -> str:
    """JSON in UTF-8; names that are no UTF-8 appear as escaped surrogates, which Python reads back."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, default=str)
    return text


def printable(text: str) -> str:
    """The text as one line, with control, direction and undecodable characters shown as escapes."""
    return "".join(
        _escaped(character) if unicodedata.category(character) in _HIDDEN else character for character in text
    )


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """Terminal cells that the text takes (Unicode Standard Annex 11; ambiguous counts as narrow)."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def fitted(text: str, cells: int) -> str:
    """The text, cut with an ellipsis where it is wider than `cells`."""
    if width(text) <= cells:
        return text
    kept = ""
    for character in text:
        if width(kept + character) > cells - 1:
            break
        kept += character
    return kept + "…"


def duration_text(seconds: float) -> str:
    """Seconds as 0:07, 3:05 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def existing_file(name: str) -> Path:
    """A file argument, absolute. Raises `FileError` where there is none."""
    path = Path(name).absolute()
    if not path.is_file():
        raise FileError(path, _("This file does not exist."), _("Check the name and the folder."))
    return path
