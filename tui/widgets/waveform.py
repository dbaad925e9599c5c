"""The outline of a sound in block characters."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.text import fit

BLOCKS = " ▁▂▃▄▅▆▇█"


def outline(peaks: Sequence[tuple[float, float]], height: int) -> list[str]:
    """Lines of blocks, the top one first: each column as high as its largest sample.

    The highest column fills the height, so that a quiet sound has a shape too.
    """
    heights = [max(abs(low), abs(high)) for low, high in peaks]
    top = max(heights, default=0.0) or 1.0
    eighths = [round(value / top * height * 8) for value in heights]
    return [
        "".join(BLOCKS[min(8, max(0, column - 8 * line))] for column in eighths)
        for line in reversed(range(height))
    ]


def squeeze(peaks: Sequence[tuple[float, float]], width: int) -> list[tuple[float, float]]:
    """As many columns as there is room for; several become one by their extremes."""
    columns = []
    for x in range(width):
        first = x * len(peaks) // width
        part = peaks[first : max(first + 1, (x + 1) * len(peaks) // width)]
        columns.append((min(low for low, _high in part), max(high for _low, high in part)))
    return columns


class Waveform(Widget):
    """Waveform with the part that was heard in another colour."""

    DEFAULT_CSS = "Waveform { height: 3; }"

    auto_links = reactive(False)
    share = reactive(0.0)
    """How much of it was heard, from 0 to 1."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._peaks: Sequence[tuple[float, float]] = ()
        self._words = ""

    def show(self, peaks: Sequence[tuple[float, float]], words: str = "") -> None:
        """Show a sound, or words where there is none."""
        self._peaks, self._words = peaks, words
        self.set_reactive(Waveform.share, 0.0)
        self.refresh()

    def render(self) -> Content:
        width, height = self.size
        if not self._peaks or not width or not height:
            return Content.styled(fit(self._words, width), "$dim")
        columns = squeeze(self._peaks, width)
        heard = round(self.share * width)
        lines = []
        for line in outline(columns, height):
            lines.append(
                Content.assemble(
                    (line[:heard], "$accent"), (line[heard:], "$primary"), strip_control_codes=False
                )
            )
        return Content("\n").join(lines)
