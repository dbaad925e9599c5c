"""A new genre: a folder of the library."""

from __future__ import annotations

import os
import unicodedata

from assistant.errors import CallError
from assistant.i18n import _
from assistant.library.library import Library

_LONGEST_BYTES = 255
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def genre_problem(library_unlabelled: str, name: str) -> str:
    """Why a name cannot be a genre's, as a sentence; empty where it can."""
    if not name.strip():
        return _("A genre needs a name.")
    if name != name.strip() or name.startswith((".", "-")):
        return _("A genre's name begins with no dot, dash or space and ends with no space.")
    if "/" in name or any(unicodedata.category(char) in _UNSEEN for char in name):
        return _("A genre is one folder: its name has no slash and no character that cannot be seen.")
    if len(os.fsencode(name)) > _LONGEST_BYTES:
        return _("This name is too long for a folder.")
    if name == library_unlabelled:
        return _("{name} is the folder for tracks without a genre.").format(name=name)
    return ""


def make_genre(library: Library, name: str) -> None:
    """Make the folder of a genre; one that is there is left alone.

    Raises `CallError` for a name that cannot be a genre's, or a folder that cannot be made.
    """
    problem = genre_problem(library.unlabelled, name)
    if problem:
        raise CallError(problem, _("Name it like a folder, for instance: tango"))
    try:
        (library.root / name).mkdir(exist_ok=True)
    except OSError as error:
        raise CallError(
            _("The genre {name} cannot be made: {reason}.").format(name=name, reason=error.strerror),
            _("Check the rights and the free space of the music folder."),
        ) from error
