"""Writes only the cells that have changed.

Textual writes the whole region of a widget that it draws anew, though most of it stands on the terminal
already: too much for a slow line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.cells import get_character_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.control import Control
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

Cell = tuple[str, Style | None]
"""A character and its style; the second cell of a wide character has no character."""

GAP_CELLS = 16
"""Going to another place and setting the colours anew takes about as many bytes as so many cells."""


class Pieces(CompositorUpdate):
    """Strips, each with its place."""

    def __init__(self, pieces: list[tuple[int, int, Strip]]) -> None:
        self.pieces = pieces
        """Column, line, strip."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for x, y, strip in self.pieces:
            yield Control.move_to(x, y).segment
            yield from strip

    def render_segments(self, console: Console) -> str:
        return "".join(
            Control.move_to(x, y).segment.text + strip.render(console) for x, y, strip in self.pieces
        )


class Shown:
    """What stands on the terminal, as far as it was written through here."""

    def __init__(self) -> None:
        self._written: dict[int, Iterable[Strip]] = {}
        """Whole lines that nobody has looked into yet."""
        self._lines: dict[int, list[Cell | None]] = {}

    def forget(self) -> None:
        """Nothing is known any more, so that all is written anew."""
        self._written.clear()
        self._lines.clear()

    def changed(self, update: RenderableType | None) -> RenderableType | None:
        """What of an update has to be written; None where nothing has."""
        if isinstance(update, LayoutUpdate):
            self.forget()
            if not update.region.x:
                self._written.update(enumerate(update.strips, update.region.y))
            return update
        if not isinstance(update, ChopsUpdate):
            if update is not None:
                self.forget()
            return update
        pieces = [
            (column, y, part)
            for x, y, strip in _pieces(update)
            for column, part in self._changed_parts(x, y, strip)
        ]
        return Pieces(pieces) if pieces else None

    def _changed_parts(self, x: int, y: int, strip: Strip) -> Iterator[tuple[int, Strip]]:
        line = self._line(y)
        end = x + strip.cell_length
        if len(line) < end:
            line += [None] * (end - len(line))
        before, now = line[x:end], cells([strip])
        if now is None:
            line[x:end] = [None] * strip.cell_length
            yield x, strip
            return
        if before == now:
            return
        line[x:end] = now
        # Of a wide character that is written over in part, the other half is gone too.
        if x and before[0] is not None and not before[0][0]:
            line[x - 1] = None
        if end < len(line) and (after := line[end]) is not None and not after[0]:
            line[end] = None
        for first, last in _runs(before, now):
            yield x + first, strip.crop(first, last)

    def _line(self, y: int) -> list[Cell | None]:
        line = self._lines.get(y)
        if line is None:
            line = self._lines[y] = list(cells(self._written.pop(y, ())) or ())
        return line


def cells(strips: Iterable[Strip]) -> list[Cell] | None:
    """The cells of a line; None where a terminal may divide it into cells otherwise."""
    found: list[Cell] = []
    length = 0
    for strip in strips:
        length += strip.cell_length
        for text, style, control in strip:
            if control:
                return None
            if text.isascii():
                found += [(char, style) for char in text]
                continue
            for char in text:
                width = get_character_cell_size(char)
                if not width:  # joins the characters around it
                    return None
                found += [(char, style), ("", style)][:width]
    return found if len(found) == length else None


def _pieces(update: ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Column, line and strip of what an update writes."""
    for y, first, last in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= last or end <= first:
                continue
            yield x, y, strip if end <= last else strip.crop(0, last - x)


def _runs(before: list[Cell | None], now: list[Cell]) -> Iterator[tuple[int, int]]:
    """First and last cell (exclusive) of what differs; near differences are one."""
    start = last = -1
    for place, (old, new) in enumerate(zip(before, now, strict=True)):
        if old == new:
            continue
        if start >= 0 and place - last > GAP_CELLS:
            yield start, last
            start = -1
        if start < 0:
            start = place - (not new[0])  # a wide character is written whole
        last = place + 1 + (place + 1 < len(now) and not now[place + 1][0])
    if start >= 0:
        yield start, last
