"""Telling a person who is elsewhere that a run has ended, by a command of theirs."""

from __future__ import annotations

import shlex
import subprocess

from assistant.config import NotifySettings
from assistant.i18n import _
from assistant.runs.record import RunRecord

_SECONDS = 30.0


def end_sentence(record: RunRecord) -> str:
    """How a run ended, in one sentence of the person's language."""
    words = {
        "done": _("The run {name} is done."),
        "stopped": _("The run {name} was stopped."),
        "failed": _("The run {name} failed: {reason}"),
        "lost": _("The run {name} was lost: its process is gone."),
    }
    reason = (record.error or {}).get("title", "")
    return words.get(record.state, words["done"]).format(name=record.name, reason=reason)


def command_line(settings: NotifySettings, record: RunRecord) -> list[str]:
    """The person's command with its fields filled in; empty where none is wanted.

    Each field becomes part of one argument, never of a shell's line. Raises `ValueError` for quotes that
    do not match.
    """
    fields = {
        "run": record.id,
        "name": record.name,
        "state": record.state,
        "title": end_sentence(record),
        "model": record.model or "",
    }
    arguments = []
    for part in shlex.split(settings.command):
        for name, value in fields.items():
            part = part.replace("{" + name + "}", value.replace("\0", ""))
        arguments.append(part)
    return arguments


def run_command(settings: NotifySettings, record: RunRecord) -> str:
    """Run the person's command about a run that ended; returns what went wrong, or an empty text."""
    try:
        arguments = command_line(settings, record)
        if not arguments:
            return ""
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"{settings.command}: {error}"
    if done.returncode:
        return f"{settings.command}: {done.returncode} {done.stderr.decode('utf-8', 'replace').strip()}"
    return ""
