"""`musichelper status`: all that matters of a library on one screen."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from assistant.commands.console import Context, fitted, printable, table_lines, width
from assistant.i18n import _, ngettext

LEAST_LINES = 14
_GENRE_CELLS = 18
_PUT_OFF_SHOWN = 3
_RUNS_SHOWN = 3


def show_status(context: Context) -> int:
    """Print the status, as one screen or as one document."""
    from assistant.status import status

    state = status(context.library)
    if context.json:
        context.console.document(state)
        return 0
    screen = shutil.get_terminal_size()
    for line in status_lines(state, screen.columns, max(LEAST_LINES, screen.lines - 2)):
        context.console.result(line)
    return 0


def status_lines(state: dict[str, Any], columns: int, lines: int) -> list[str]:
    """The status in at most so many lines of so many cells; what does not fit is counted."""
    top = [*_folder(state), *_genres(state["tracks"]["by_genre"], columns)]
    bottom = [*_watcher(state["watch"]), *_classifier(state), *_runs(state["runs"])]
    room = max(1, lines - len(top) - len(bottom))
    text = [*top, *_troubles(state, columns, room), *bottom]
    return [fitted(printable(line), columns) for line in text]


def state_words(state: str) -> str:
    """A track's state in the person's language."""
    return {
        "waiting": _("waiting"),
        "working": _("in work"),
        "ready": _("ready"),
        "failed": _("failed"),
        "missing": _("missing"),
    }[state]


def _folder(state: dict[str, Any]) -> list[str]:
    tracks = state["tracks"]
    numbers = ngettext(
        "{count} track, {hours:.1f} hours ready", "{count} tracks, {hours:.1f} hours ready", tracks["total"]
    ).format(count=tracks["total"], hours=tracks["hours"])
    states = [f"{state_words(name)}: {number}" for name, number in tracks["by_state"].items()]
    lines = [_("Library {root}").format(root=state["library"]), "  ".join([numbers, *states])]
    if state["duplicates"]:
        lines.append(
            ngettext(
                "{count} track is the same music as another; see `musichelper duplicates`.",
                "{count} tracks are the same music as others; see `musichelper duplicates`.",
                state["duplicates"],
            ).format(count=state["duplicates"])
        )
    return lines


def _genres(genres: dict[str, int], columns: int) -> list[str]:
    """Genres with their numbers, several in a line."""
    cell = max(_GENRE_CELLS, min(columns, max((width(name) for name in genres), default=0) + 8))
    across = max(1, columns // cell)
    names = list(genres)
    rows = []
    for start in range(0, len(names), across):
        row: list[str] = []
        for name in names[start : start + across]:
            row += [name, str(genres[name])]
        rows.append(row)
    return [f"  {line}" for line in table_lines(rows, right=range(1, 2 * across, 2))]


def _troubles(state: dict[str, Any], columns: int, room: int) -> list[str]:
    """The files that failed or were put off, with their reasons, as far as there is room."""
    lines = []
    for track in state["put_off"][:_PUT_OFF_SHOWN]:
        again = time.strftime("%H:%M:%S", time.localtime(track["again"]))
        line = _("{path}: {reason} Tried again at {time}.")
        lines.append("  " + line.format(path=_name(track, columns), reason=track["reason"], time=again))
    for failure in state["failed"]:
        lines.append(f"  {_name(failure, columns)}: {failure['reason']}")
    total = len(state["put_off"]) + max(len(state["failed"]), state["tracks"]["by_state"].get("failed", 0))
    if total > room or total > len(lines):
        lines = lines[: max(0, room - 1)]
        rest = total - len(lines)
        more = ngettext(
            "… and {count} more; see `musichelper status --json`.",
            "… and {count} more; see `musichelper status --json`.",
            rest,
        )
        lines.append("  " + more.format(count=rest))
    return lines


def _name(track: dict[str, Any], columns: int) -> str:
    return fitted(printable(Path(track["path"]).name), max(12, columns // 2))


def _watcher(watcher: dict[str, Any]) -> list[str]:
    from assistant.intake.account import watch_warning, watch_words

    if not watcher["running"]:
        return [_("Nobody watches this folder now.")]
    lines = [_("Watched by process {pid}.").format(pid=watcher["pid"])]
    if watcher.get("paused"):
        lines.append("  " + _("paused: {reason}").format(reason=watcher["paused"]))
    return lines + [f"  {line}" for line in ("; ".join(watch_words(watcher)), watch_warning(watcher)) if line]


def _classifier(state: dict[str, Any]) -> list[str]:
    if not state["classifier"]:
        return []
    line = _("Classifier {version}: {accuracy:.0%} right on held-out tracks, chance {chance:.0%}.")
    return [line.format(**state["classifier"])]


def _runs(runs: list[dict[str, Any]]) -> list[str]:
    lines = []
    for run in runs[:_RUNS_SHOWN]:
        steps = "?" if run["steps"] is None else run["steps"]
        loss = "" if run["loss"] is None else "  " + _("loss {loss:.3f}").format(loss=run["loss"])
        lines.append(f"{run['id']}  {run['kind']}  {run['state']}  {run['step']}/{steps}{loss}")
    if len(runs) > _RUNS_SHOWN:
        rest = len(runs) - _RUNS_SHOWN
        more = ngettext(
            "… and {count} more run; see `musichelper train list`.",
            "… and {count} more runs; see `musichelper train list`.",
            rest,
        )
        lines.append(more.format(count=rest))
    return lines
