"""The history of runs: orders, lines and details, in words."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from assistant.i18n import _
from tui.text import ago, fit, len_cells, pad, visible
from tui.vocabulary import status

if TYPE_CHECKING:
    from assistant.runs.marks import RunMarks
    from assistant.runs.record import RunRecord
    from tui.following import RunView

ORDERS = ("newest", "name", "held-out", "loss", "tag")


def order_word(order: str) -> str:
    """An order in words."""
    return {
        "newest": _("newest first"),
        "name": _("by name"),
        "held-out": _("lowest held-out loss first"),
        "loss": _("lowest loss first"),
        "tag": _("by tag"),
    }[order]


def ordered(runs: Sequence[RunRecord], order: str, marks: Mapping[str, RunMarks]) -> list[RunRecord]:
    """The runs in an order; what has no value for it comes last, newest first."""
    newest = sorted(runs, key=lambda run: (run.created, run.id), reverse=True)
    if order == "name":
        return sorted(newest, key=lambda run: run.name.casefold())
    if order == "held-out":
        return sorted(newest, key=lambda run: float("inf") if run.valid_loss is None else run.valid_loss)
    if order == "loss":
        return sorted(newest, key=lambda run: float("inf") if run.loss is None else run.loss)
    if order == "tag":
        return sorted(newest, key=lambda run: marks[run.id].tags if run.id in marks else ("\U0010ffff",))
    return newest


def run_line(run: RunRecord, width: int, *, compared: bool, marks: RunMarks | None) -> Content:
    """A run in the list: state, name with tags, held-out loss where there is room, and when."""
    state = status(run.state)
    when = ago(run.ended or run.created, time.time())
    if run.live and run.steps:
        when = f"{100 * run.step // run.steps}%"
    when = pad(fit(when, 11), 11, right=True)
    loss = ""
    if width >= 50:
        loss = pad("" if run.valid_loss is None else f"{run.valid_loss:.3f}", 7, right=True)
    room = max(6, width - 24 - len(loss))
    tags = " ".join(f"#{tag}" for tag in marks.tags) if marks else ""
    if marks and marks.note:
        tags = f"{tags} …".strip()
    name = fit(visible(run.name), max(6, room - (len_cells(tags) + 1 if tags else 0)))
    rest = room - len_cells(name)
    return Content.assemble(
        ("■" if compared else " ", "$accent"),
        (f"{state.mark} {pad(state.word, 8)}", state.style),
        " ",
        name,
        (pad(f" {visible(tags)}" if tags else "", rest), "$secondary"),
        (loss, "$dim"),
        (when, "$dim"),
    )


def details(run: RunRecord, marks: RunMarks | None, view: RunView | None) -> tuple[str, str]:
    """What is known of a run, as the hint and the text of a dialog."""
    hint = []
    if view is not None and view.run.id == run.id:
        for alert in view.alerts:
            hint.append(" ".join(part for part in (alert.title, alert.what_to_do) if part))
    elif run.error:
        hint = [run.error.get("title", ""), run.error.get("hint", "")]
    if marks and marks.note:
        hint.insert(0, marks.note)
    return "\n".join(hint), json.dumps(run.as_dict(), indent=2, ensure_ascii=False)
