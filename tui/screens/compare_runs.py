"""Up to four runs: their curves over one another, and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from assistant.i18n import _
from assistant.runs.compare import differences
from tui.actions import bindings_of
from tui.following import RunView
from tui.text import clock, len_cells, pad, visible
from tui.widgets.keybar import KeyBar
from tui.widgets.loss_plot import COLOURS, SEVERAL, Lens, LossPlot, Series

CURVES = ("smooth", "validation")
COLUMN_CELLS = 18


class CompareRunsScreen(ModalScreen[None], inherit_bindings=False):
    """Curves on top, a table below."""

    BINDINGS = bindings_of("curves")

    def __init__(self, views: Sequence[RunView]) -> None:
        super().__init__()
        self._views = list(views)
        self._lens = Lens()
        self._curve = CURVES[0]

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain full"):
            yield Static(id="compare-title")
            yield LossPlot()
            with VerticalScroll(id="compare-table-box"):
                yield Static(id="compare-table")
            yield KeyBar("curves", always=())

    def on_mount(self) -> None:
        self.query_one("#compare-table-box").focus()
        self._paint()

    def action_close(self) -> None:
        self.dismiss(None)

    def action_curve(self) -> None:
        self._curve = CURVES[1 - CURVES.index(self._curve)]
        self._paint()

    def action_axis(self) -> None:
        self._lens = replace(self._lens, time=not self._lens.time, zoom=0, back=0)
        self._paint()

    def action_log_axis(self) -> None:
        self._lens = replace(self._lens, log=not self._lens.log)
        self._paint()

    def action_zoom(self, direction: int) -> None:
        self._lens = self._lens.zoomed(direction)
        self._paint()

    def action_pan(self, direction: int) -> None:
        self._lens = self._lens.moved(direction)
        self._paint()

    def _paint(self) -> None:
        word = {"smooth": _("Smoothed loss"), "validation": _("Held-out loss")}[self._curve]
        self.query_one("#compare-title", Static).update(Content.styled(word, "bold"))
        series = [
            Series(visible(view.run.name), getattr(view, self._curve), SEVERAL[number])
            for number, view in enumerate(self._views)
        ]
        steps = max((view.run.steps or 0 for view in self._views), default=0)
        self.query_one(LossPlot).show(series, steps or None, self._lens)
        self.query_one("#compare-table", Static).update(self._table())

    def _table(self) -> Content:
        runs = [view.run for view in self._views]
        rows: list[tuple[str, list[str]]] = [
            (_("run"), [visible(run.name) for run in runs]),
            (_("held-out loss"), [_number(run.valid_loss) for run in runs]),
            (_("loss"), [_number(run.loss) for run in runs]),
            (_("step"), [f"{run.step}/{run.steps or '?'}" for run in runs]),
            (
                _("time"),
                [clock(view.smooth[-1][2]) if view.smooth else "–" for view in self._views],
            ),
        ]
        rows += [(name, [_text(value) for value in values]) for name, values in differences(runs)]
        label = max(len_cells(name) for name, _values in rows) + 2
        lines = []
        for place, (name, values) in enumerate(rows):
            parts: list[Content | tuple[str, str] | str] = [(pad(name, label), "$dim")]
            for number, value in enumerate(values):
                style = f"bold ${COLOURS[SEVERAL[number]]}" if not place else ""
                parts.append((pad(visible(value), COLUMN_CELLS - 1) + " ", style))
            lines.append(Content.assemble(*parts))
        return Content("\n").join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
