"""demo: everything once, with a table at the end."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.commands.console import Context, duration_text
from assistant.commands.options import Commands, add_command
from assistant.i18n import _

DEFAULT_FOLDER = Path("demo-library")


def add_commands(commands: Commands) -> None:
    """Add the command of this file."""
    demo = add_command(commands, "demo", _("show everything once, on music that it makes itself"), _demo)
    demo.add_argument(
        "folder", metavar="DIR", nargs="?", type=Path, default=DEFAULT_FOLDER, help=_("a new folder")
    )
    demo.add_argument(
        "--from", dest="source", metavar="FOLDER", type=Path, help=_("use copies of the music in this folder")
    )
    demo.add_argument("--seed", type=int, default=0, metavar="N", help=_("the start of all random choices"))


def _demo(context: Context) -> int:
    from assistant.demo import run_demo

    called, console = context.arguments, context.console
    steps = []
    for step in run_demo(
        called.folder.absolute(),
        context.settings,
        source=called.source,
        seed=called.seed,
        show=lambda event: _show(context, event),
    ):
        steps.append(step)
        console.clear()
        if context.json:
            console.document({"event": "step", **asdict(step)})
        else:
            console.say(f"{step.name}: {step.detail} ({duration_text(step.seconds)})")
    clips = steps[-1].figures.get("clips", [])
    total = sum(step.seconds for step in steps)
    if context.json:
        console.document({"event": "done", "seconds": total, "clips": clips})
        return 0 if clips else 1
    rows = [[_("step"), _("result"), _("time")]]
    rows += [[step.name, step.detail, duration_text(step.seconds)] for step in steps]
    rows.append([_("in all"), "", duration_text(total)])
    console.result("")
    console.table(rows, right=[2])
    console.result("")
    console.table([[clip["genre"], clip["path"]] for clip in clips])
    console.result("")
    console.result(_("Look around: musichelper-tui {folder}").format(folder=called.folder))
    return 0 if clips else 1


def _show(context: Context, event: dict[str, Any]) -> None:
    kind = event["event"]
    if kind == "begin":
        context.console.progress(_("{name}…").format(name=event["name"]))
    elif kind == "train" and event["loss"] is not None:
        context.console.progress(
            _("step {step} of {steps}, loss {loss:.3f}").format(
                step=event["step"], steps=event["steps"], loss=event["loss"]
            )
        )
    elif kind == "epoch":
        context.console.progress(
            _("epoch {epoch} of {epochs}, loss {loss:.3f}, held-out loss {valid_loss:.3f}").format(**event)
        )
    elif kind == "clip":
        context.console.progress(
            _("clip {number}: {genre}").format(number=event["done"] + 1, genre=event["genre"])
        )
    elif event.get("total"):
        context.console.progress(_("{done} of {total}").format(done=event["done"], total=event["total"]))
    elif "done" in event:
        context.console.progress(_("{done} done").format(done=event["done"]))
