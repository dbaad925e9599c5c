"""engine."""

from __future__ import annotations

from typing import Any

from assistant.commands.console import Context, duration_text
from assistant.commands.options import Commands, add_command, add_group
from assistant.i18n import _, ngettext
from assistant.serving import start


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    group = add_group(commands, "engine", _("the process that keeps a model loaded to generate"))
    add_command(group, "status", _("what it does, what it has loaded, who waits"), _status)
    add_command(group, "stop", _("end it; its memory and the GPU are free then"), _stop)


def _status(context: Context) -> int:
    found = start.status()
    if context.json:
        context.console.document({"running": found is not None, **(found or {})})
    elif found is None:
        context.console.say(_("No engine runs. `musichelper generate` starts one."))
    else:
        for line in status_lines(found):
            context.console.result(line)
    return 0


def _stop(context: Context) -> int:
    stopped = start.stop()
    if context.json:
        context.console.document({"stopped": stopped})
    else:
        context.console.say(_("The engine has left.") if stopped else _("No engine runs."))
    return 0


def status_lines(found: dict[str, Any]) -> list[str]:
    """What the engine says of itself, for a person."""
    states = {
        "idle": _("It is idle."),
        "waiting": _("It waits for its device."),
        "loading": _("It loads a model."),
        "generating": _("It generates."),
    }
    lines = [_("Process {pid}, log {log}").format(pid=found["pid"], log=found["log"])]
    lines.append(states.get(found["state"], found["state"]))
    if found["model"]:
        lines.append(_("{model} is loaded on {device}.").format(model=found["model"], device=found["device"]))
    if found["queue"]:
        count = found["queue"]
        lines.append(
            ngettext("{count} request in all.", "{count} requests in all.", count).format(count=count)
        )
    elif found["state"] == "idle":
        rest = max(0.0, found["leaves_after"] - found["idle_for"])
        lines.append(_("It leaves in {time} if nobody asks.").format(time=duration_text(rest)))
    return lines
