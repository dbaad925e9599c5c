"""names list, names fix: garbled file names."""

from __future__ import annotations

from pathlib import Path

from assistant.commands.console import Context
from assistant.commands.options import Commands, add_command, add_group
from assistant.errors import CallError, FileError
from assistant.i18n import _, ngettext
from assistant.label.names import GarbledName, garbled_name, garbled_names


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    group = add_group(commands, "names", _("garbled file names"))
    add_command(group, "list", _("the garbled names, each with what it was meant to be"), _list)
    fix = add_command(group, "fix", _("rename files to what was meant, with their WAV and caption"), _fix)
    fix.add_argument("files", metavar="FILE", nargs="*", help=_("tracks of the library"))
    fix.add_argument("--all", action="store_true", help=_("every name that `names list` shows"))
    fix.add_argument("--dry-run", action="store_true", help=_("only say what would be done"))


def _list(context: Context) -> int:
    garbled = garbled_names(context.library)
    if context.json:
        context.console.document({"names": [_document(context, name) for name in garbled]})
        return 0
    context.console.table([[str(name.track.path), "→", name.proposal, name.why] for name in garbled])
    if not garbled:
        context.console.say(_("No name looks garbled."))
    return 0


def _fix(context: Context) -> int:
    from assistant.label.decisions import Labeller

    chosen = _chosen(context)
    labeller = Labeller(context.library)
    documents, done = [], 0
    if context.arguments.dry_run:
        documents = [_document(context, name) for name in chosen]
        done = len(chosen)
    else:
        decisions = labeller.rename_many((name.track.id, name.proposal) for name in chosen)
        for decision in decisions:
            origin, target = decision.moves[0]
            root = context.library.root
            documents.append({"path": str(root / origin), "to": str(root / target), "state": decision.state})
            done += 1
    for error in labeller.problems:
        context.console.error(error)
    if context.json:
        failed = [
            {"path": str(error.path), "reason": error.title, "hint": error.hint}
            for error in labeller.problems
        ]
        context.console.document({"renamed": documents, "failed": failed})
    else:
        for document in documents:
            name = Path(str(document.get("to") or document["proposal"])).name
            context.console.result(f"{Path(str(document['path'])).name} → {name}")
        if context.arguments.dry_run:
            words = ngettext("{count} file would be renamed.", "{count} files would be renamed.", done)
        else:
            words = ngettext(
                "{count} file renamed; `musichelper label undo` takes it back.",
                "{count} files renamed; `musichelper label undo` takes them back.",
                done,
            )
        context.console.say(words.format(count=done))
    return 1 if labeller.problems else 0


def _chosen(context: Context) -> list[GarbledName]:
    arguments = context.arguments
    if arguments.all == bool(arguments.files):
        raise CallError(
            _("It is not said which files to rename."),
            _("Name some of those that `musichelper names list` shows, or give --all."),
        )
    if arguments.all:
        return garbled_names(context.library)
    chosen = []
    for name in arguments.files:
        path = Path(name)
        if not path.is_absolute() and not path.exists():
            path = context.library.root / path
        track = context.library.ledger.track_at(context.library.relative(path))
        garbled = garbled_name(track) if track is not None else None
        if garbled is None:
            raise FileError(
                path,
                _("This name does not look garbled, or the library does not know the file."),
                _("`musichelper names list` shows what can be mended."),
            )
        chosen.append(garbled)
    return chosen


def _document(context: Context, name: GarbledName) -> dict[str, str]:
    return {
        "path": str(context.library.root / name.track.path),
        "proposal": name.proposal + name.track.path.suffix,
        "why": name.why,
        "encoding": name.mended.encoding,
    }
