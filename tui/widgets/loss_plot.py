"""Losses as curves: over steps or training time, linear or logarithmic, whole or a part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.containers import Container

from assistant.i18n import _
from tui.text import clock, len_cells

if TYPE_CHECKING:
    from textual_plot import AxisFormatter, PlotWidget

    from tui.following import Points, RunView

COLOURS = {
    "raw": "border", "smooth": "accent", "validation": "success", "second": "primary", "fourth": "error",
}  # fmt: skip
"""What a curve is drawn in: names of the theme's variables."""
FALLBACK_COLOURS = {
    "raw": "bright_black", "smooth": "yellow", "validation": "green", "second": "blue", "fourth": "red",
}  # fmt: skip
SEVERAL = ("smooth", "second", "validation", "fourth")
"""The colours of curves of equal rank, in their order."""

LEAST_RANGE = 0.2
"""Of the losses that are shown; less would blow up noise."""
DEEPEST_ZOOM = 8


@dataclass(frozen=True)
class Series:
    """One curve: a label, points of step, loss and seconds, a name of `COLOURS`, dots or a line."""

    label: str
    points: Points
    colour: str
    dots: bool = False


@dataclass(frozen=True)
class Lens:
    """How curves are looked at."""

    time: bool = False
    """Over seconds of training instead of steps."""
    log: bool = False
    zoom: int = 0
    """How often the shown part was halved."""
    back: int = 0
    """How many half windows before the newest part."""

    def zoomed(self, direction: int) -> Lens:
        """One step nearer (1) or farther (-1)."""
        return replace(self, zoom=max(0, min(DEEPEST_ZOOM, self.zoom + direction)), back=0)

    def moved(self, direction: int) -> Lens:
        """One step towards the newest (1) or the oldest (-1) part."""
        most = 2 * (2**self.zoom - 1)
        return replace(self, back=max(0, min(most, self.back - direction)))

    def window(self, last: float) -> tuple[float, float]:
        """What is shown of 0 to `last`."""
        width = last / 2**self.zoom
        end = last - self.back * width / 2
        return max(0.0, end - width), end


def run_series(view: RunView) -> list[Series]:
    """The curves of one run."""
    return [
        Series(_("each step"), view.raw, "raw"),
        Series(_("smoothed"), view.smooth, "smooth"),
        Series(_("held out"), view.validation, "validation", dots=True),
    ]


def codebook_series(view: RunView) -> list[Series]:
    """The curves of the codebooks of one run."""
    return [
        Series(_("codebook {number}").format(number=number + 1), points, SEVERAL[number % len(SEVERAL)])
        for number, points in enumerate(view.codebooks)
    ]


def thin(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most this many points: the means of neighbours."""
    if len(points) <= most or most < 1:
        return list(points)
    thinned = []
    for place in range(most):
        part = points[place * len(points) // most : (place + 1) * len(points) // most]
        thinned.append((sum(x for x, _y in part) / len(part), sum(y for _x, y in part) / len(part)))
    return thinned


def seen(points: Points, lens: Lens, window: tuple[float, float]) -> list[tuple[float, float]]:
    """The points inside a window, as they are drawn."""
    place = 2 if lens.time else 0
    return [
        (point[place], math.log10(max(point[1], 1e-9)) if lens.log else point[1])
        for point in points
        if window[0] <= point[place] <= window[1]
    ]


class LossPlot(Container):
    """Makes its plot when the first points come, because that imports numpy."""

    DEFAULT_CSS = """
    LossPlot { height: 1fr; min-height: 5; }
    LossPlot PlotWidget { background: transparent; }
    LossPlot PlotWidget > .plot--axis { color: $border; }
    LossPlot PlotWidget > .plot--tick { color: $dim; text-style: none; }
    LossPlot PlotWidget > .plot--label { color: $dim; text-style: none; }
    LossPlot PlotWidget #legend { border: none; background: $background; color: $dim; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._plot: PlotWidget | None = None
        self._shown: object = None
        self._series: list[Series] = []
        self._steps: int | None = None
        self._lens = Lens()

    def show(self, series: Sequence[Series], steps: int | None = None, lens: Lens = Lens()) -> None:
        """Show these curves on the way to `steps`; nothing is drawn where nothing has changed."""
        series = [one for one in series if one.points]
        if not series:
            self._clear()
            return
        state = [(one.label, len(one.points), one.points[-1]) for one in series], steps, lens
        if state == self._shown:
            return
        self._shown = state
        self._series, self._steps, self._lens = list(series), steps, lens
        if self._plot is None:
            self._plot = _new_plot()
            self.mount(self._plot)
            self.call_after_refresh(self._draw)
        else:
            self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _clear(self) -> None:
        if self._plot is not None:
            self._plot.remove()
            self._plot = None
        self._shown = None

    def _draw(self) -> None:
        from textual_plot import HiResMode

        plot, lens = self._plot, self._lens
        if plot is None or not plot.is_mounted:
            return
        place = 2 if lens.time else 0
        last = max(one.points[-1][place] for one in self._series)
        if not lens.time and not lens.zoom:
            last = max(last, self._steps or 0)
        window = lens.window(last or 1.0)
        colours = self._colours()
        plot.clear()
        most, losses = max(20, 2 * self.size.width), []
        for one in self._series:
            label = _for_legend(one.label)
            points = thin(seen(one.points, lens, window), most)
            if not points:
                continue
            losses += [loss for _x, loss in points]
            x, y = zip(*points, strict=True)
            if one.dots:
                plot.scatter(x, y, marker="◆", marker_style=colours[one.colour], label=label)
            elif len(points) > 1:
                plot.plot(x, y, line_style=colours[one.colour], hires_mode=HiResMode.BRAILLE, label=label)
            else:
                plot.scatter(x, y, marker="·", marker_style=colours[one.colour], label=label)
        self._limit(plot, losses, window)
        plot.set_x_formatter(_formatter(clock if lens.time else None))
        plot.set_y_formatter(_formatter((lambda value: f"{10**value:.3g}") if lens.log else None))
        plot.show_legend()

    def _limit(self, plot: PlotWidget, losses: list[float], window: tuple[float, float]) -> None:
        least = LEAST_RANGE / 10 if self._lens.log else LEAST_RANGE
        if losses and max(losses) - min(losses) < least:
            middle = (max(losses) + min(losses)) / 2
            plot.set_ylimits(middle - least / 2, middle + least / 2)
        else:
            plot.set_ylimits(None, None)
        margin = 0.02 * (window[1] - window[0])
        plot.set_xlimits(window[0], window[1] + margin)

    def _colours(self) -> dict[str, str]:
        """The theme's colours, as far as they are colours a plot understands."""
        from rich.color import Color, ColorParseError

        variables = self.app.theme_variables
        found = dict(FALLBACK_COLOURS)
        for name, variable in COLOURS.items():
            try:
                Color.parse(variables.get(variable, ""))
            except ColorParseError:
                continue
            found[name] = variables[variable]
        return found


def _for_legend(label: str) -> str:
    """As many characters as it takes cells: the plot makes room for characters."""
    return label + " " * (len_cells(label) - len(label))


def _new_plot() -> PlotWidget:
    from textual.reactive import reactive
    from textual_plot import PlotWidget

    class QuietPlot(PlotWidget, can_focus=False, inherit_bindings=False):
        """A plot that takes no keys."""

        BINDINGS: ClassVar[list[BindingType]] = []
        margin_left = reactive(7)
        margin_top = reactive(0)
        margin_bottom = reactive(1)

    return QuietPlot(allow_pan_and_zoom=False)


def _formatter(write: Callable[[float], str] | None) -> AxisFormatter:
    """Ticks at round places, written by a function; None writes plain numbers."""
    from textual_plot import NumericAxisFormatter

    class Written(NumericAxisFormatter):
        """Numbers in other words."""

        def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
            if write is None:
                return list(super().get_labels_for_ticks(ticks))
            return [write(tick) for tick in ticks]

    return Written()
