"""The loss of a run as a curve: every step, smoothed, and on held-out tracks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.containers import Container

from assistant.i18n import _

if TYPE_CHECKING:
    from textual_plot import PlotWidget

    from tui.following import Points

FALLBACK_COLOURS = {"raw": "bright_black", "smooth": "yellow", "validation": "green"}


LEAST_RANGE = 0.2
"""Of the losses that are shown; less would blow up noise."""


def thin(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most this many points: the means of neighbours."""
    if len(points) <= most or most < 1:
        return list(points)
    thinned = []
    for place in range(most):
        part = points[place * len(points) // most : (place + 1) * len(points) // most]
        thinned.append((sum(x for x, _y in part) / len(part), sum(y for _x, y in part) / len(part)))
    return thinned


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
        self._shown: tuple[int, float] | None = None
        self._curves: tuple[Points, Points, Points, int | None] = ([], [], [], None)

    def show(self, raw: Points, smooth: Points, validation: Points, steps: int | None = None) -> None:
        """Show these curves on the way to `steps`; nothing is drawn where nothing has changed."""
        if not raw and not validation:
            self._clear()
            return
        state = (len(validation), raw[-1][0] if raw else 0.0)
        if state == self._shown:
            return
        self._shown = state
        self._curves = (raw, smooth, validation, steps)
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

        plot = self._plot
        if plot is None or not plot.is_mounted:
            return
        raw, smooth, validation, steps = self._curves
        colours = self._colours()
        plot.clear()
        most = max(20, 2 * self.size.width)
        label = _("each step")
        if len(raw) > 1:
            x, y = zip(*thin(raw, most), strict=True)
            plot.plot(x, y, line_style=colours["raw"], hires_mode=HiResMode.BRAILLE, label=label)
            x, y = zip(*thin(smooth, most), strict=True)
            plot.plot(x, y, line_style=colours["smooth"], hires_mode=HiResMode.BRAILLE, label=_("smoothed"))
        elif raw:
            plot.scatter([raw[0][0]], [raw[0][1]], marker="·", marker_style=colours["raw"], label=label)
        if validation:
            x, y = zip(*thin(validation, most), strict=True)
            plot.scatter(x, y, marker="◆", marker_style=colours["validation"], label=_("held out"))
        losses = [y for points in (raw, validation) for _x, y in points]
        if max(losses) - min(losses) < LEAST_RANGE:
            middle = (max(losses) + min(losses)) / 2
            plot.set_ylimits(middle - LEAST_RANGE / 2, middle + LEAST_RANGE / 2)
        else:
            plot.set_ylimits(None, None)
        last = max((points[-1][0] for points in (raw, validation) if points), default=1.0)
        plot.set_xlimits(0, max(last, steps or 0) * 1.02)
        plot.show_legend()

    def _colours(self) -> dict[str, str]:
        """The theme's colours, as far as they are colours a plot understands."""
        from rich.color import Color, ColorParseError

        variables = self.app.theme_variables
        found = dict(FALLBACK_COLOURS)
        for name, variable in (("raw", "border"), ("smooth", "accent"), ("validation", "success")):
            try:
                Color.parse(variables.get(variable, ""))
            except ColorParseError:
                continue
            found[name] = variables[variable]
        return found


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
