"""tokens build; train start, list, show, stop, save, pause, resume."""

from __future__ import annotations

import argparse
import dataclasses
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from assistant.commands.console import Context, duration_text
from assistant.commands.options import Commands, add_command, add_group
from assistant.commands.run_marks import add_mark_commands, marks_text
from assistant.i18n import _, ngettext
from assistant.musicgen.separation import STEMS
from assistant.musicgen.spec import METHODS, OPTIMIZERS, PRECISIONS, PRESETS, TARGETS, FinetuneSpec

if TYPE_CHECKING:
    from assistant.runs.record import RunRecord

POLL_SECONDS = 1.0


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    tokens = add_group(commands, "tokens", _("EnCodec tokens of the library"))
    build = add_command(tokens, "build", _("encode what is not encoded yet"), _build)
    build.add_argument("--model", help=_("the model whose codec is used"))

    group = add_group(commands, "train", _("fine-tune MusicGen on the library"))
    start = add_command(group, "start", _("start a fine-tune that goes on by itself"), _start)
    start.add_argument("--name", help=_("the name of the model that will come out"))
    start.add_argument("--model", help=_("the model to start from"))
    start.add_argument("--genre", action="append", default=[], help=_("only this genre; may be repeated"))
    start.add_argument("--preset", choices=PRESETS, help=_("style, full (all weights) or quick (a try)"))
    start.add_argument("--method", choices=METHODS, help=_("what is trained: adapters (lora) or all weights"))
    start.add_argument("--optimizer", choices=OPTIMIZERS, help=_("adamw8bit needs less memory for full"))
    start.add_argument(
        "--precision", choices=PRECISIONS, help=_("of products; auto is bfloat16 where the hardware has it")
    )
    start.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help=_("compile the layers on a GPU, where the run is long enough"),
    )
    start.add_argument(
        "--shard",
        action=argparse.BooleanOptionalAction,
        help=_("share all weights out among the processes also where they would fit"),
    )
    start.add_argument(
        "--remove",
        action="append",
        choices=STEMS,
        help=_("a stem that is taken out of the music first; may be repeated; needs a plug-in"),
    )
    start.add_argument("--folder", help=_("only tracks below this folder of the library"))
    start.add_argument(
        "--target",
        action="append",
        dest="targets",
        choices=TARGETS,
        help=_("what gets adapters; may be repeated"),
    )
    for name, kind, words in (
        ("least-seconds", float, _("only tracks at least so long")),
        ("most-seconds", float, _("only tracks at most so long")),
        ("least-rating", float, _("only tracks with a `rating` of at least this in their JSON")),
        ("rank", int, _("rank of the adapters")),
        ("alpha", float, _("how much adapters count, beside the rank")),
        ("freeze-below", int, _("so many of the first layers stay as they are")),
        ("ema", float, _("average of the weights, e.g. 0.99; 0 is none")),
        ("patience", int, _("looks at held-out music without a lower loss until the end; 0 is never")),
        ("sample-every", int, _("steps between clips made during training; 0 is none")),
        ("processes", int, _("processes, one for each GPU")),
        ("steps", int, _("updates of the weights")),
        ("batch-size", int, _("crops in one forward pass")),
        ("accumulation", int, _("forward passes for one update")),
        ("crop-seconds", float, _("length of a crop in seconds")),
        ("learning-rate", float, _("the peak of the schedule")),
        ("seed", int, _("the start of all random choices")),
    ):
        start.add_argument(f"--{name}", type=kind, help=words)
    start.add_argument(
        "--dry-run", action="store_true", help=_("only say what it would take, and what to look out for")
    )
    start.add_argument("--follow", action="store_true", help=_("stay and show the progress"))
    add_command(group, "list", _("all runs, newest first"), _list)
    for name, words, run in (
        ("show", _("the state of a run"), _show),
        ("stop", _("save and stop a run"), _control),
        ("save", _("write a checkpoint now"), _control),
        ("pause", _("hold a run; it keeps its memory"), _control),
        ("resume", _("go on with a paused, stopped or lost run"), _resume),
    ):
        command = add_command(group, name, words, run)
        command.add_argument("run_id", metavar="RUN", help=_("its id, or `last`"))
    add_mark_commands(group)


def _build(context: Context) -> int:
    from assistant.musicgen.tokens import build_tokens

    model = context.arguments.model or context.settings.musicgen.model
    summary = build_tokens(context.library, model, on_event=lambda event: show_progress(context, event))
    context.console.clear()
    if context.json:
        context.console.document(asdict(summary))
    else:
        context.console.result(
            ngettext(
                "{tracks} track in tokens, {built} new.",
                "{tracks} tracks in tokens, {built} new.",
                summary.tracks,
            ).format(tracks=summary.tracks, built=summary.built)
        )
    return 0


def show_progress(context: Context, event: dict[str, Any]) -> None:
    """Show any event that counts what is done of a total."""
    if "done" in event and "total" in event:
        context.console.progress(_("{done} of {total}").format(done=event["done"], total=event["total"]))


def _start(context: Context) -> int:
    from assistant.runs.launch import start_finetune

    called = context.arguments
    chosen = {
        field.name: value
        for field in dataclasses.fields(FinetuneSpec)
        if (value := getattr(called, field.name, None)) is not None
    }
    chosen |= {name: tuple(value) for name, value in chosen.items() if isinstance(value, list)}
    spec = FinetuneSpec.from_settings(context.settings, genres=tuple(called.genre), **chosen).check()
    if called.dry_run:
        return _look_ahead(context, spec)
    run = start_finetune(context.library, spec)
    if not called.follow:
        if context.json:
            context.console.document({"run": run.id})
        else:
            context.console.result(_("Run {run} goes on by itself.").format(run=run.id))
            context.console.say(_("See it with `musichelper train show {run}`.").format(run=run.id))
        return 0
    run = follow(context, run)
    _print_run(context, run)
    return 0 if run.state == "done" else 1


def _look_ahead(context: Context, spec: FinetuneSpec) -> int:
    from assistant.musicgen.client import look_ahead

    found = look_ahead(context.library, spec, on_event=lambda event: _show_preparing(context, event))
    context.console.clear()
    if context.json:
        context.console.document(found)
        return 0
    gib, hours = 2**30, found["seconds_of_music"] / 3600
    context.console.table(
        [
            [
                _("music"),
                ngettext(
                    "{count} track to learn, {held} held out, {hours:.2f} hours",
                    "{count} tracks to learn, {held} held out, {hours:.2f} hours",
                    found["tracks"],
                ).format(count=found["tracks"], held=found["held_out"], hours=hours),
            ],
            [
                _("steps"),
                _("{steps}, each second is heard {passes:.1f} times").format(
                    steps=found["steps"], passes=found["passes"]
                ),
            ],
            [
                _("time"),
                _("{time}, {each:.2f} s a step").format(
                    time=duration_text(found["seconds"]), each=found["seconds_per_step"]
                ),
            ],
            [
                _("memory"),
                _("{used:.1f} of {total:.1f} GiB on {device}").format(
                    used=found["memory_bytes"] / gib,
                    total=found["memory_total"] / gib,
                    device=found["device"],
                ),
            ],
            [
                _("disk"),
                _("{needed:.2f} GiB, {free:.1f} GiB are free").format(
                    needed=found["disk_bytes"] / gib, free=found["disk_free"] / gib
                ),
            ],
        ]
    )
    for text in found["reasons"]:
        context.console.result(text)
    for text in found["warnings"]:
        context.console.result(_("Warning: {text}").format(text=text))
    return 0


def _show_preparing(context: Context, event: dict[str, Any]) -> None:
    words = {
        "tokens": _("encoding…"),
        "melodies": _("listening for melodies…"),
        "steps": _("trying two steps…"),
    }
    if event.get("event") == "preparing":
        context.console.progress(words[event["what"]])


def follow(context: Context, run: RunRecord) -> RunRecord:
    """Show a run's progress until it ends; the run goes on when this process ends."""
    from assistant.runs.record import read_run

    while run.live:
        time.sleep(POLL_SECONDS)
        run = read_run(context.library, run.id)
        if run.loss is not None:
            context.console.progress(
                _("step {step} of {steps}, loss {loss:.3f}").format(
                    step=run.step, steps=run.steps, loss=run.loss
                )
            )
    context.console.clear()
    return run


def _list(context: Context) -> int:
    from assistant.runs.marks import RunMarks, all_marks
    from assistant.runs.record import list_runs

    runs, marks = list_runs(context.library), all_marks(context.library)
    if context.json:
        documents = [{**run_document(run), **asdict(marks.get(run.id, RunMarks()))} for run in runs]
        context.console.document({"runs": documents})
        return 0
    if not runs:
        context.console.say(_("No runs yet. Start one with `musichelper train start`."))
    context.console.table(
        [
            [
                run.id,
                run.kind,
                run.name,
                run_state_words(run.state),
                f"{run.step}/{run.steps}",
                marks_text(marks.get(run.id)),
            ]
            for run in runs
        ]
    )
    return 0


def run_state_words(state: str) -> str:
    """A run's state in the person's language."""
    return {
        "queued": _("queued"),
        "running": _("running"),
        "paused": _("paused"),
        "done": _("done"),
        "stopped": _("stopped"),
        "failed": _("failed"),
        "lost": _("lost"),
    }[state]


def run_document(run: RunRecord) -> dict[str, Any]:
    """A run as its JSON document."""
    return {"run": run.id, **asdict(run)}


def called_run(context: Context) -> RunRecord:
    """The run that the call names, or the newest one for `last`."""
    from assistant.errors import CallError
    from assistant.runs.record import list_runs, read_run

    if context.arguments.run_id != "last":
        return read_run(context.library, context.arguments.run_id)
    runs = list_runs(context.library)
    if not runs:
        raise CallError(_("There are no runs yet."), _("Start one with `musichelper train start`."))
    return runs[0]


def _show(context: Context) -> int:
    _print_run(context, called_run(context))
    return 0


def _print_run(context: Context, run: RunRecord) -> None:
    if context.json:
        context.console.document(run_document(run))
        return
    rows = [
        [_("run"), run.id],
        [_("state"), run_state_words(run.state)],
        [_("step"), f"{run.step}/{run.steps}"],
    ]
    if run.loss is not None:
        rows.append([_("loss"), f"{run.loss:.4f}"])
    if run.valid_loss is not None:
        rows.append([_("held-out loss"), f"{run.valid_loss:.4f}"])
    if run.model:
        rows.append([_("model"), run.model])
    if run.error:
        rows += [[_("error"), run.error["title"]], ["", run.error["hint"]]]
    context.console.table(rows)


def _control(context: Context) -> int:
    from assistant.runs.control import request

    run = called_run(context)
    request(context.library, run.id, context.arguments.what)
    if context.json:
        context.console.document({"run": run.id, "requested": context.arguments.what})
    else:
        context.console.result(_("Run {run} has been told.").format(run=run.id))
    return 0


def _resume(context: Context) -> int:
    from assistant.runs.launch import resume_run

    run = resume_run(context.library, called_run(context).id)
    if context.json:
        context.console.document({"run": run.id})
    else:
        context.console.result(_("Run {run} goes on.").format(run=run.id))
    return 0
