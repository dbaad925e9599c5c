"""classifier train, evaluate, predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.commands.console import Context, existing_file
from assistant.commands.options import Commands, add_command, add_group
from assistant.errors import FileError, MusicHelperError
from assistant.i18n import _, ngettext

if TYPE_CHECKING:
    from assistant.classify.report import Report


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    group = add_group(commands, "classifier", _("the genre classifier"))
    add_command(group, "train", _("train on the genre folders, then propose for the rest"), _train)
    add_command(group, "evaluate", _("the report of the classifier in use"), _evaluate)
    predict = add_command(group, "predict", _("the likely genres of files"), _predict)
    predict.add_argument("files", metavar="FILE", nargs="+", help=_("music files"))


def show_training(context: Context, event: dict[str, Any]) -> None:
    """Show an event of feature extraction or training as progress."""
    if event["event"] == "features":
        context.console.progress(_("features {done} of {total}").format(**event))
    elif event["event"] == "epoch":
        context.console.progress(
            _("epoch {epoch} of {epochs}, loss {loss:.3f}, held-out loss {valid_loss:.3f}").format(**event)
        )


def _train(context: Context) -> int:
    from assistant.classify.predict import propose
    from assistant.classify.training import train_classifier

    report = train_classifier(context.library, on_event=lambda event: show_training(context, event))
    proposed = propose(context.library)
    context.console.clear()
    if context.json:
        context.console.document({**report.as_dict(), "proposals": proposed})
        return 0
    print_report(context, report)
    context.console.say(
        ngettext(
            "{count} track without a genre has a proposal.",
            "{count} tracks without a genre have a proposal.",
            proposed,
        ).format(count=proposed)
    )
    return 0


def _evaluate(context: Context) -> int:
    from assistant.classify.store import current_version

    report = current_version(context.library)
    if report is None:
        raise MusicHelperError(
            _("There is no trained classifier yet."), _("Train one with `musichelper classifier train`.")
        )
    if context.json:
        context.console.document(report.as_dict())
    else:
        print_report(context, report)
    return 0


def print_report(context: Context, report: Report) -> None:
    """Print the figures of a classifier, chance beside them."""
    console = context.console
    console.result(
        _(
            "{version}: {accuracy:.1%} of the held-out tracks right; "
            "chance {chance:.1%}, largest genre {majority:.1%}."
        ).format(
            version=report.version, accuracy=report.accuracy, chance=report.chance, majority=report.majority
        )
    )
    rows = [[_("genre"), _("precision"), _("recall"), _("tracks")]]
    for genre, figures in report.per_genre.items():
        rows.append(
            [genre, f"{figures['precision']:.0%}", f"{figures['recall']:.0%}", str(figures["support"])]
        )
    console.table(rows, right=[1, 2, 3])


def _predict(context: Context) -> int:
    from assistant.classify.predict import predict

    failed: list[dict[str, Any]] = []

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "failed":
            failed.append({"path": str(event["path"]), "reason": event["reason"], "hint": event["hint"]})
            context.console.error(FileError(Path(event["path"]), event["reason"], event["hint"]))
        else:
            show_training(context, event)

    files = [existing_file(name) for name in context.arguments.files]
    predictions = predict(context.library, files, on_event=on_event)
    context.console.clear()
    if context.json:
        context.console.document(
            {
                "tracks": [
                    {
                        "path": str(prediction.path),
                        "genre": prediction.genre,
                        "probability": prediction.probability,
                        "top": prediction.top,
                    }
                    for prediction in predictions
                ],
                "failed": failed,
            }
        )
        return 1 if failed else 0
    for prediction in predictions:
        likely = ", ".join(f"{genre} {probability:.0%}" for genre, probability in prediction.top[:3])
        context.console.result(f"{prediction.path}: {likely}")
    return 1 if failed else 0
