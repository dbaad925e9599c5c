"""clips rate, favourite, note, reject, restore, undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assistant.commands.console import Context
from assistant.commands.options import Commands, add_command
from assistant.i18n import _
from assistant.library.ledger import ClipRow


def add_shelf_commands(group: Commands) -> None:
    """Add the commands of this file to the group `clips`."""
    rate = add_command(group, "rate", _("give a clip 1 to 5, or 0 for no rating"), _rate)
    rate.add_argument("file", metavar="FILE", help=_("a clip"))
    rate.add_argument("rating", metavar="N", type=int, help=_("1 to 5; 0 takes the rating away"))
    favourite = add_command(group, "favourite", _("make a clip a favourite"), _favour)
    favourite.add_argument("file", metavar="FILE", help=_("a clip"))
    favourite.add_argument("--off", action="store_true", help=_("it is one no longer"))
    note = add_command(group, "note", _("write a note beside a clip"), _note)
    note.add_argument("file", metavar="FILE", help=_("a clip"))
    note.add_argument("text", metavar="TEXT", help=_("the note; empty takes it away"))
    reject = add_command(group, "reject", _("move a clip into the library's trash"), _reject)
    reject.add_argument("file", metavar="FILE", help=_("a clip"))
    restore = add_command(group, "restore", _("bring a rejected clip back"), _reject)
    restore.add_argument("file", metavar="FILE", help=_("its name before, or its file in the trash"))
    add_command(group, "undo", _("take back the last rating, favourite, note or rejection"), _undo)


def clip_document(clip: ClipRow) -> dict[str, Any]:
    """A clip as its JSON document."""
    return {
        **clip.recipe,
        "path": str(clip.trash or clip.path),
        "duration": clip.duration,
        "made": clip.made,
        "rating": clip.rating,
        "favourite": clip.favourite,
        "note": clip.note,
        "rejected": clip.trash is not None,
    }


def marks(clip: ClipRow) -> str:
    """Favourite and rating in a few characters."""
    return ("*" if clip.favourite else "") + (f"{clip.rating}/5" if clip.rating else "")


def _rate(context: Context) -> int:
    shelf, clip = _called(context)
    return _tell(context, shelf.rate(clip.id, context.arguments.rating))


def _favour(context: Context) -> int:
    shelf, clip = _called(context)
    return _tell(context, shelf.favour(clip.id, not context.arguments.off))


def _note(context: Context) -> int:
    shelf, clip = _called(context)
    return _tell(context, shelf.annotate(clip.id, context.arguments.text))


def _reject(context: Context) -> int:
    shelf, clip = _called(context)
    return _tell(context, shelf.reject(clip.id, context.arguments.what == "reject"))


def _undo(context: Context) -> int:
    from assistant.musicgen.shelf import Shelf

    opinion = Shelf(context.library).undo()
    clip = context.library.ledger.clip(opinion.clip) if opinion else None
    if clip is not None:
        return _tell(context, clip)
    if context.json:
        context.console.document({"clip": None})
    else:
        context.console.say(_("There is nothing to undo."))
    return 0


def _called(context: Context) -> tuple[Any, ClipRow]:
    from assistant.musicgen.shelf import Shelf

    shelf = Shelf(context.library)
    return shelf, shelf.find(Path(context.arguments.file).absolute())


def _tell(context: Context, clip: ClipRow) -> int:
    if context.json:
        context.console.document({"clip": clip_document(clip)})
    else:
        words = [str(clip.trash or clip.path), marks(clip), clip.note]
        context.console.result("  ".join(word for word in words if word))
    return 0
