"""The log-mel picture of a sound: two bands a cell in half blocks, or shades where there are no colours."""

from __future__ import annotations

from collections.abc import Sequence

from textual.color import Color
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.text import fit

SHADES = " ░▒▓█"
COLOURS = ("background", "border", "primary", "accent", "foreground")
"""From the quietest to the loudest: names of the theme's variables."""
STEPS = 16
"""Colours that are told apart; fewer make longer runs of one colour, and so fewer bytes."""


def gradient(colours: Sequence[str]) -> list[str] | None:
    """`STEPS` colours from the first to the last; None where one of them is no colour with a value."""
    try:
        stops = [Color.parse(colour) for colour in colours]
    except ValueError:
        return None
    if any(stop.ansi is not None for stop in stops):
        return None
    found = []
    for step in range(STEPS):
        place = step / (STEPS - 1) * (len(stops) - 1)
        low = min(int(place), len(stops) - 2)
        found.append(stops[low].blend(stops[low + 1], place - low, 1.0).hex)
    return found


class MelPicture(Widget):
    """Low notes at the bottom; what was heard is marked by a line below."""

    DEFAULT_CSS = "MelPicture { height: 6; }"

    share = reactive(0.0)

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._columns: Sequence[bytes] = ()
        self._words = ""

    def show(self, columns: Sequence[bytes], words: str = "") -> None:
        """Show a picture, or words where there is none."""
        self._columns, self._words = columns, words
        self.set_reactive(MelPicture.share, 0.0)
        self.refresh()

    def render(self) -> Content:
        width, height = self.size
        if not self._columns or width < 2 or height < 2:
            return Content.styled(fit(self._words, width), "$dim")
        picture = [self._columns[x * len(self._columns) // width] for x in range(width)]
        lines = self._coloured(picture, height - 1) or self._shaded(picture, height - 1)
        heard = round(self.share * width)
        lines.append(Content.assemble(("▔" * heard, "$accent"), ("▔" * (width - heard), "$border")))
        return Content("\n").join(lines)

    def _coloured(self, picture: Sequence[bytes], height: int) -> list[Content]:
        variables = self.app.theme_variables
        colours = gradient([variables.get(name, "") for name in COLOURS])
        if colours is None or self.app.no_color:
            return []
        lines = []
        for row in range(height):
            parts: list[tuple[str, str]] = []
            for column in picture:
                top = colours[_level(column, 2 * height - 1 - 2 * row, 2 * height)]
                bottom = colours[_level(column, 2 * height - 2 - 2 * row, 2 * height)]
                style = f"{top} on {bottom}"
                if parts and parts[-1][1] == style:
                    parts[-1] = (parts[-1][0] + "▀", style)
                else:
                    parts.append(("▀", style))
            lines.append(Content.assemble(*parts))
        return lines

    def _shaded(self, picture: Sequence[bytes], height: int) -> list[Content]:
        return [
            Content(
                "".join(
                    SHADES[_level(column, height - 1 - row, height) * len(SHADES) // STEPS]
                    for column in picture
                )
            )
            for row in range(height)
        ]


def _level(column: bytes, band: int, bands: int) -> int:
    first = band * len(column) // bands
    part = column[first : max(first + 1, (band + 1) * len(column) // bands)]
    return max(part) * STEPS // 256
