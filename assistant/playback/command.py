"""Sound through a command of the person's own, such as one that plays on their computer."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from assistant.i18n import _
from assistant.playback.child import ChildPlayer, Take

FIELDS = ("{file}", "{start}", "{gain}")


class CommandPlayer(ChildPlayer):
    """Runs `playback.command` for each file. It gets the file's name for `{file}`, or else the file itself on
    its standard input; `{start}` is in seconds, `{gain}` in decibels. No shell reads it."""

    kind = "command"
    says_when_it_begins = False

    def __init__(self, command: str) -> None:
        super().__init__()
        self._words = shlex.split(command)

    @property
    def sentence(self) -> str:
        """Which command plays."""
        return _("Sound is played by your command: {command}").format(command=shlex.join(self._words))

    def arguments(self, take: Take) -> list[str]:
        """The command with its fields filled in."""
        values = {"{file}": os.fspath(take.path), "{start}": f"{take.start:g}", "{gain}": f"{take.gain:g}"}
        words = self._words
        for field, value in values.items():
            words = [word.replace(field, value) for word in words]
        return words

    def feed(self, take: Take) -> Path | None:
        """The file, unless the command names it."""
        return None if any("{file}" in word for word in self._words) else take.path


def command_problem(command: str) -> str:
    """Why a configured command cannot be run; empty where it can."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        return _("playback.command cannot be read: {reason}.").format(reason=error)
    if not words:
        return _("playback.command is empty.")
    if shutil.which(words[0]) is None:
        return _("The program {name} of playback.command is not installed here.").format(name=words[0])
    return ""
