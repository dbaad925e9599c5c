"""label list, set, accept, undo, export, import."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.commands.console import Context, existing_file
from assistant.commands.options import Commands, add_command, add_group
from assistant.errors import CallError, FileError, MusicHelperError
from assistant.i18n import _, ngettext
from assistant.library.ledger import Decision


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    group = add_group(commands, "label", _("proposals and decisions"))
    listing = add_command(group, "list", _("the tracks that want a genre, with what is proposed"), _list)
    listing.add_argument(
        "--order", choices=("margin", "newest", "confident", "folder"), default="margin", help=_("the order")
    )
    setting = add_command(group, "set", _("put a track into a genre"), _set)
    setting.add_argument("file", metavar="FILE", help=_("a track of the library"))
    setting.add_argument("genre", metavar="GENRE", help=_("a genre folder"))
    accept = add_command(group, "accept", _("accept all proposals above a probability"), _accept)
    accept.add_argument(
        "--above", type=float, metavar="P", required=True, help=_("a probability from 0 to 1")
    )
    add_command(group, "review", _("labels that the sound contradicts"), _review)
    add_command(group, "undo", _("take the last decision back"), _undo)
    add_command(group, "export", _("print all decisions as JSON"), _export)
    importing = add_command(group, "import", _("apply decisions from an export"), _import)
    importing.add_argument("file", metavar="FILE", help=_("what `label export` printed"))


def _list(context: Context) -> int:
    from assistant.label.learning import live_accuracy
    from assistant.label.queue import review_queue

    items = review_queue(context.library, order=context.arguments.order)
    rows = []
    documents = []
    for item in items:
        proposal = item.proposal
        path = context.library.root / item.track.path
        documents.append(
            {
                "path": str(path),
                "genre": proposal.genre if proposal else None,
                "probability": proposal.probability if proposal else None,
                "top": proposal.top if proposal else [],
                "agreement": proposal.agreement if proposal else None,
                "strangeness": proposal.strangeness if proposal else None,
                "none_of_these": proposal.none_of_these if proposal else None,
                "likely": [genre for genre, _share in proposal.top[: proposal.likely or 0]]
                if proposal
                else [],
            }
        )
        top = proposal.top[:3] if proposal else []
        row = [str(item.track.path), *(f"{genre} {share:.0%}" for genre, share in top)]
        if proposal and proposal.agreement is not None:
            row.append(_("{share:.0%} of segments agree").format(share=proposal.agreement))
        rows.append([*row, _("perhaps none of these")] if proposal and proposal.none_of_these else row)
    live = live_accuracy(context.library)
    if context.json:
        kept = {"kept": live.kept, "decided": live.decided, "share": live.share}
        context.console.document({"proposals": documents, "live_accuracy": kept})
    else:
        context.console.table(rows)
        if not rows:
            context.console.say(_("No track waits for a genre."))
        if live.share is not None:
            context.console.say(
                _("You kept {kept} of {decided} proposals, {share:.0%}.").format(
                    kept=live.kept, decided=live.decided, share=live.share
                )
            )
    return 0


def _review(context: Context) -> int:
    from assistant.classify.review import suspicious_labels
    from assistant.commands.classifier import show_training

    found = suspicious_labels(context.library, on_event=lambda event: show_training(context, event))
    context.console.clear()
    if context.json:
        rows = [{**asdict(one), "path": str(context.library.root / one.path)} for one in found]
        context.console.document({"suspicious": rows})
        return 0
    for one in found:
        context.console.result(
            _("{path}: {genre} {probability:.0%}, rather {suggested} {suggested_probability:.0%}").format(
                **asdict(one)
            )
        )
    context.console.say(
        _("`musichelper label set FILE GENRE` moves a track; nothing is moved by itself.")
        if found
        else _("No label is contradicted by its sound.")
    )
    return 0


def _set(context: Context) -> int:
    from assistant.label.decisions import Labeller

    path = Path(context.arguments.file)
    if not path.is_absolute() and not path.exists():
        path = context.library.root / path
    track = context.library.ledger.track_at(context.library.relative(path))
    if track is None:
        raise FileError(
            path,
            _("The library does not know this file."),
            _("Run `musichelper watch --once` first, so that new files are found."),
        )
    decision = Labeller(context.library).label(track.id, context.arguments.genre)
    _print_decisions(context, [decision])
    _learn(context)
    return 0


def _accept(context: Context) -> int:
    from assistant.label.decisions import Labeller

    above = context.arguments.above
    if not 0 <= above <= 1:
        raise CallError(
            _("{value} is no probability.").format(value=above), _("Give a number from 0 to 1, such as 0.9.")
        )
    _print_decisions(context, Labeller(context.library).accept_above(above))
    _learn(context)
    return 0


def _undo(context: Context) -> int:
    from assistant.label.decisions import Labeller

    decision = Labeller(context.library).undo()
    if decision is None:
        raise MusicHelperError(_("There is nothing to undo."))
    _print_decisions(context, [decision])
    return 0


def _print_decisions(context: Context, decisions: list[Decision]) -> None:
    if context.json:
        context.console.document({"decisions": [_document(context, decision) for decision in decisions]})
        return
    for decision in decisions:
        track = context.library.ledger.track(decision.track)
        where = track.path if track else Path()
        context.console.result(_("{path} is now in {genre}.").format(path=where, genre=where.parent))
    count = len(decisions)
    context.console.say(ngettext("{count} decision.", "{count} decisions.", count).format(count=count))


def _learn(context: Context) -> None:
    from assistant.label.learning import learn_in_background

    if learn_in_background(context.library):
        context.console.say(_("The classifier learns from your decisions in the background."))


def _document(context: Context, decision: Decision) -> dict[str, Any]:
    track = context.library.ledger.track(decision.track)
    return {
        "path": str(context.library.root / track.path) if track else None,
        "action": decision.action,
        "from": decision.genre_from,
        "to": decision.genre_to,
        "state": decision.state,
    }


def _export(context: Context) -> int:
    from assistant.label.exchange import export_labels

    context.console.document({"labels": export_labels(context.library)})
    return 0


def _import(context: Context) -> int:
    from assistant.label.exchange import import_labels

    path = existing_file(context.arguments.file)
    try:
        rows = json.loads(path.read_text("utf-8"))["labels"]
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(
            path, _("This file is no export of labels."), _("Make one with `musichelper label export`.")
        ) from error
    counts = import_labels(context.library, rows)
    if context.json:
        context.console.document(counts)
    else:
        context.console.table([[name, str(number)] for name, number in counts.items()], right=[1])
    _learn(context)
    return 0
