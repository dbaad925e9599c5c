"""A list of any length that draws only the lines it shows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar, overload

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from tui.actions import bindings_of

Row = TypeVar("Row")
AGE_SECONDS = 20.0
ROWS_KEPT = 500
CURSOR_STYLE = "$block-cursor-foreground on $block-cursor-background"
Draw = Callable[[Row, int], Content]


class LazyRows(Sequence[Row], Generic[Row]):
    """Rows that are made when they are looked at, and found without making all."""

    def row(self, place: int) -> Row:
        """The row at a place."""
        raise NotImplementedError

    def find(self, key: object) -> int | None:
        """The place of the row with this key; None where there is none."""
        raise NotImplementedError

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return [self.row(one) for one in range(len(self))[place]]
        return self.row(place)


class RowList(ScrollView, Generic[Row], can_focus=True, inherit_bindings=False):
    """Rows of one line each, with a cursor that stays on its row when others come and go."""

    BINDINGS = bindings_of("list")
    DEFAULT_CSS = """
    RowList {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
    }
    """

    cursor = reactive(0, repaint=False)
    auto_links = reactive(False)  # looking for them costs a sixth of the time of painting

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, rows: RowList[Any]) -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> RowList[Any]:
            return self.rows

    class Scrolled(Message):
        """Other rows are in sight."""

    def __init__(
        self,
        draw: Draw[Row],
        *,
        key: Callable[[Row], Hashable],
        empty: Callable[[], str] = str,
        ages: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        """With `ages`, rows say how long ago something was, and are drawn anew now and then."""
        super().__init__(id=id)
        self._ages = ages
        self._draw = draw
        self._key = key
        self._empty = empty
        self._rows: Sequence[Row] = ()
        self._painted: dict[int, Content] = {}
        """What was painted of rows, by their places."""
        self._style = Style.null()
        self._width = 0
        self._parsed_for = ""
        self._parsed_styles: dict[str, Style] = {}
        self.always_marked = False
        """Show the cursor also without the focus."""
        self.centred = False
        """Begin in the middle again where the cursor leaves what is in sight: what comes next is seen."""

    def on_mount(self) -> None:
        if self._ages:
            self.set_interval(AGE_SECONDS, self.refresh)

    @property
    def rows(self) -> Sequence[Row]:
        """The rows in their order."""
        return self._rows

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if 0 <= self.cursor < len(self._rows) else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; the cursor follows its row, wherever that is now."""
        marked = None if self.current is None else self._key(self.current)
        place = self.cursor
        self._rows = rows
        # In a list of any length it is mostly where it was.
        if marked is not None and not (place < len(rows) and self._key(rows[place]) == marked):
            if isinstance(rows, LazyRows):
                found = rows.find(marked)
            else:
                found = next((index for index, row in enumerate(rows) if self._key(row) == marked), None)
            place = place if found is None else found
        before = self.cursor
        self.virtual_size = Size(self.size.width, len(rows))
        self.set_reactive(RowList.cursor, max(0, min(place, len(rows) - 1)))
        self._keep_in_sight()
        top, width = self.scroll_offset.y, self._cells
        moved = {before, self.cursor} if before != self.cursor else ()
        for index in range(top, top + self.size.height):
            painted, content = self._painted.get(index), self._content(index, width)
            if painted is None or not painted.is_same(content) or index in moved:
                self.redraw(index)

    def redraw(self, index: int) -> None:
        """Draw one row anew."""
        self.refresh(Region(0, index - self.scroll_offset.y, self.size.width, 1))

    def mark(self, index: int) -> None:
        """Put the cursor on a row."""
        self.cursor = max(0, min(index, len(self._rows) - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        self._keep_in_sight()
        self.redraw(before)
        self.redraw(now)
        self.post_message(self.Moved(self))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled())

    def _keep_in_sight(self) -> None:
        if self.centred and self.scroll_offset.y <= self.cursor < self.scroll_offset.y + self.size.height:
            return
        row = Region(0, self.cursor, 1, 1)
        self.scroll_to_region(row, animate=False, force=True, center=self.centred)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._rows))
        self._keep_in_sight()
        self.post_message(self.Scrolled())

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, lines: int) -> None:
        self.mark(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        self.mark(self.cursor + pages * max(1, self.size.height - 1))

    def action_edge(self, last: int) -> None:
        self.mark(len(self._rows) - 1 if last else 0)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._style, self._width = self.visual_style, self._cells  # dear, and the same for all rows
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        index, style, width = y + self.scroll_offset.y, self._style, self._width
        if len(self._painted) > ROWS_KEPT:
            self._painted.clear()
        content = self._painted[index] = self._content(index, width)
        if index == self.cursor and self._rows and (self.has_focus or self.always_marked):
            style += self._parsed(CURSOR_STYLE)
        # Not by `Visual.to_strips`, which makes each cell a style of its own for text to be selected.
        content = content.truncate(width)
        pieces = content.render(style, end="", parse_style=self._parsed)
        line = Strip([Segment(text, part.rich_style) for text, part in pieces], content.cell_length)
        return line.extend_cell_length(width, style.rich_style)

    def _parsed(self, style: str | Style) -> Style:
        if isinstance(style, Style):
            return style
        theme = self.app.theme
        if theme != self._parsed_for:
            self._parsed_for = theme
            self._parsed_styles.clear()
        found = self._parsed_styles.get(style)
        if found is None:
            found = self._parsed_styles[style] = Style.parse(style, self.app.theme_variables)
        return found

    def _content(self, index: int, width: int) -> Content:
        """What is to be painted at a place."""
        if index < len(self._rows):
            return self._draw(self._rows[index], width)
        return Content.styled(self._empty(), "$dim") if index == 0 else Content("")

    @property
    def _cells(self) -> int:
        """Of a row, without the scrollbar."""
        return self.scrollable_content_region.width
