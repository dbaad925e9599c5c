"""Everything needed to make a clip again, kept in the clip itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assistant.audio.metadata import read_comment
from assistant.errors import FileError
from assistant.i18n import _

PROGRAM = "musichelper"


def as_comment(recipe: dict[str, Any]) -> str:
    """The recipe as one line of ASCII for a file's comment: each kind of file keeps that as it is."""
    return json.dumps({"program": PROGRAM, **recipe}, separators=(",", ":"))


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in an audio file. Raises `FileError` for a file that carries none."""
    try:
        recipe = json.loads(read_comment(path))
    except ValueError:
        recipe = None
    if not isinstance(recipe, dict) or recipe.get("program") != PROGRAM:
        raise FileError(
            path,
            _("{path} carries no recipe.").format(path=path),
            _("Only clips that musichelper made have one; another program may have removed it."),
        )
    return recipe
