"""The one root of all errors that a person can cause or should read."""

from __future__ import annotations

from pathlib import Path


class MusicHelperError(Exception):
    """An error with a title (what happened) and a hint (what to do about it)."""

    exit_status = 1

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.title}\n{self.hint}" if self.hint else self.title


class CallError(MusicHelperError):
    """The call or the configuration is wrong; nothing was done."""

    exit_status = 2


class FileError(MusicHelperError):
    """One file could not be handled; the others go on."""

    def __init__(self, path: Path, title: str, hint: str = "") -> None:
        super().__init__(title, hint)
        self.path = path


class Cancelled(MusicHelperError):
    """The person stopped the work; what was finished is kept."""

    exit_status = 130
