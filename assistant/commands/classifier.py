"""classifier train, evaluate, predict, list, use, export."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.commands.console import Context, existing_file
from assistant.commands.options import Commands, add_command, add_group
from assistant.errors import CallError, FileError, MusicHelperError
from assistant.i18n import _, ngettext

if TYPE_CHECKING:
    from assistant.classify.report import Report

TOP_SHOWN = 3
BAR = 12


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    from assistant.classify.models import MODELS

    group = add_group(commands, "classifier", _("the genre classifier"))
    train = add_command(group, "train", _("train on the genre folders, then propose for the rest"), _train)
    train.add_argument("--model", choices=MODELS, help=_("the kind of classifier"))
    train.add_argument(
        "--leaky", action="store_true", help=_("measure a split by segments too, which trains once more")
    )
    evaluate = add_command(
        group, "evaluate", _("what the classifier in use is worth, or one on a folder"), _evaluate
    )
    evaluate.add_argument("--folder", metavar="DIR", help=_("a folder of genre folders to train and test on"))
    evaluate.add_argument(
        "--lists",
        metavar="TRAIN,VALID,TEST",
        help=_("lists of its files; without them each is left out once"),
    )
    evaluate.add_argument(
        "--folds", type=int, metavar="N", default=0, help=_("leave out so many parts, not each file")
    )
    evaluate.add_argument("--model", choices=MODELS, help=_("the kind of classifier"))
    evaluate.add_argument("--no-leaky", action="store_true", help=_("do not measure a split by segments"))
    evaluate.add_argument("--png", metavar="FILE", help=_("draw the confusion matrix"))
    predict = add_command(group, "predict", _("the likely genres of files"), _predict)
    predict.add_argument("files", metavar="FILE", nargs="+", help=_("music files"))
    add_command(group, "list", _("the trained versions"), _list)
    use = add_command(group, "use", _("choose a version, or take in an exported one"), _use)
    use.add_argument("version", metavar="VERSION", help=_("a version, or a folder from `classifier export`"))
    export = add_command(
        group, "export", _("write features as JSON, or the version in use as a folder"), _export
    )
    export.add_argument(
        "target", metavar="TARGET", help=_("NAME.json for features, a new folder for the version")
    )


def show_training(context: Context, event: dict[str, Any]) -> None:
    """Show an event of feature extraction or training as progress."""
    if event["event"] == "features":
        context.console.progress(_("features {done} of {total}").format(**event))
    elif event["event"] == "compared":
        context.console.progress(_("looking for copies: {done} of {total}").format(**event))
    elif event["event"] == "fold":
        context.console.progress(_("{model}: fold {fold} of {folds}").format(**event))
    elif event["event"] == "epoch":
        context.console.progress(
            _("epoch {epoch} of {epochs}, loss {loss:.3f}, held-out loss {valid_loss:.3f}").format(**event)
        )


def _train(context: Context) -> int:
    from assistant.classify.predict import propose
    from assistant.classify.training import train_classifier

    arguments = context.arguments
    report = train_classifier(
        context.library,
        on_event=lambda event: show_training(context, event),
        model=arguments.model,
        leaky=True if arguments.leaky else None,
    )
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
    from assistant.classify.picture import write_confusion

    report = _evaluated_folder(context) if context.arguments.folder else _in_use(context)
    context.console.clear()
    if context.arguments.png:
        write_confusion(Path(context.arguments.png), report.genres, report.confusion)
    if context.json:
        context.console.document(report.as_dict())
    else:
        print_report(context, report)
    return 0


def _in_use(context: Context) -> Report:
    arguments = context.arguments
    if arguments.lists or arguments.folds or arguments.model:
        raise CallError(
            _("Without a folder the version in use is shown as it was measured."),
            _("Name the folder to train and test on with --folder."),
        )
    return _current(context)


def _evaluated_folder(context: Context) -> Report:
    from assistant.classify.evaluate import evaluate_folder

    arguments, settings = context.arguments, context.settings.classifier
    return evaluate_folder(
        Path(arguments.folder).absolute(),
        settings,
        model=arguments.model or settings.model,
        lists=[Path(name) for name in arguments.lists.split(",")] if arguments.lists else (),
        folds=arguments.folds,
        leaky=not arguments.no_leaky,
        on_event=lambda event: show_training(context, event),
    )


def print_report(context: Context, report: Report) -> None:
    """Print the figures of a classifier, chance beside them."""
    console = context.console
    low, high = report.accuracy_interval
    console.result(
        _(
            "{name}: {accuracy:.1%} of held-out tracks right (95-percent interval {low:.0%} to {high:.0%}); "
            "chance {chance:.1%}, largest genre {majority:.1%}."
        ).format(
            name=f"{report.version} {report.model}".strip(),
            accuracy=report.accuracy,
            low=low,
            high=high,
            chance=report.chance,
            majority=report.majority,
        )
    )
    for model, found in report.cross_validation.items():
        console.result(
            _("{model} in cross-validation: {accuracy:.1%} of {tracks} tracks.").format(model=model, **found)
        )
    if report.leaky_accuracy is not None:
        console.result(
            _("Split by segments it would seem to be {accuracy:.1%}; that says nothing of new music.").format(
                accuracy=report.leaky_accuracy
            )
        )
    _print_calibration(context, report)
    rows = [[_("genre"), _("precision"), _("recall"), _("tracks"), *(name[:4] for name in report.genres)]]
    for (genre, figures), counts in zip(report.per_genre.items(), report.confusion, strict=True):
        rows.append(
            [
                genre,
                f"{figures['precision']:.0%}",
                f"{figures['recall']:.0%}",
                str(figures["support"]),
                *(str(count or "·") for count in counts),
            ]
        )
    console.table(rows, right=range(1, len(rows[0])))
    for genre in report.genres_left_out:
        console.say(_("{genre} is left out: it has too few tracks that can be used.").format(genre=genre))
    for row in report.left_out:
        console.say(f"{row['path']}: {row['reason']}")


def _print_calibration(context: Context, report: Report) -> None:
    sure = report.calibration["sure"]
    words = _(
        "Probabilities are off by {ece:.0%} on average; with so few tracks perfect ones would seem off by "
        "{perfect:.0%}."
    ).format(ece=report.calibration["ece"], perfect=report.calibration["ece_perfect"])
    if sure["tracks"]:
        words += " " + _("Of {tracks} proposals of {level:.0%} and more, {accuracy:.0%} are right.").format(
            tracks=sure["tracks"], level=sure["from"], accuracy=sure["accuracy"]
        )
    context.console.result(words)


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
                        "agreement": prediction.agreement,
                        "strangeness": prediction.strangeness,
                        "none_of_these": prediction.none_of_these,
                        "likely": [genre for genre, _share in prediction.top[: prediction.likely]],
                    }
                    for prediction in predictions
                ],
                "failed": failed,
            }
        )
        return 1 if failed else 0
    for prediction in predictions:
        context.console.result(f"{prediction.path}:")
        rows = [
            [f"  {genre}", "█" * round(share * BAR), f"{share:.0%}"]
            for genre, share in prediction.top[:TOP_SHOWN]
        ]
        context.console.table(rows, right=[2])
        words = _("{agreeing} of {segments} segments agree; at {level:.0%} it is one of: {genres}").format(
            agreeing=round(prediction.agreement * prediction.segments),
            segments=prediction.segments,
            level=context.settings.classifier.set_level,
            genres=", ".join(genre for genre, _share in prediction.top[: prediction.likely]),
        )
        context.console.result("  " + words)
        if prediction.none_of_these:
            context.console.result("  " + _("perhaps none of these: it is unlike all known tracks"))
    return 1 if failed else 0


def _list(context: Context) -> int:
    from assistant.classify.store import current_version, versions

    current = current_version(context.library)
    reports = versions(context.library)
    if context.json:
        context.console.document(
            {
                "versions": [
                    {
                        "version": report.version,
                        "model": report.model,
                        "accuracy": report.accuracy,
                        "accuracy_interval": report.accuracy_interval,
                        "chance": report.chance,
                        "genres": report.genres,
                        "tracks": report.tracks,
                        "made": report.made,
                        "in_use": report == current,
                    }
                    for report in reports
                ]
            }
        )
        return 0
    rows = [
        [
            "→" if report == current else "",
            report.version,
            report.model,
            f"{report.accuracy:.0%}",
            str(sum(report.tracks.values())),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(report.made)),
        ]
        for report in reports
    ]
    heads = ["", _("version"), _("model"), _("right"), _("tracks"), _("made")]
    context.console.table([heads, *rows] if rows else [], right=[3, 4])
    if not rows:
        context.console.say(_("There is no trained classifier yet."))
    return 0


def _use(context: Context) -> int:
    from assistant.classify.store import adopt_version, use_version

    name = context.arguments.version
    path = Path(name)
    report = (
        adopt_version(context.library, path.absolute())
        if path.exists() or path.suffix
        else use_version(context.library, name)
    )
    if context.json:
        context.console.document({"version": report.version, "model": report.model})
    else:
        context.console.result(_("{version} is in use.").format(version=report.version))
    return 0


def _export(context: Context) -> int:
    from assistant.classify.export import export_features
    from assistant.classify.store import export_version

    target = Path(context.arguments.target).absolute()
    if target.suffix == ".json":
        count = export_features(context.library, target, on_event=lambda event: show_training(context, event))
        document: dict[str, Any] = {"path": str(target), "segments": count}
        words = ngettext("{count} segment in {path}.", "{count} segments in {path}.", count).format(
            count=count, path=target
        )
    else:
        version = _current(context).version
        export_version(context.library, version, target)
        document = {"path": str(target), "version": version}
        words = _("{version} is in {path}.").format(version=version, path=target)
    context.console.clear()
    if context.json:
        context.console.document(document)
    else:
        context.console.result(words)
    return 0


def _current(context: Context) -> Report:
    from assistant.classify.store import current_version

    report = current_version(context.library)
    if report is None:
        raise MusicHelperError(
            _("There is no trained classifier yet."), _("Train one with `musichelper classifier train`.")
        )
    return report
