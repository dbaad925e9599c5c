"""A widget that is a function of its width."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

LEAST_CELLS = 10


class Redrawn(Widget):
    """Draws itself when its size changes, and by `redraw` where what it says has changed."""

    auto_links = reactive(False)

    _drawn: Content | None = None
    _ahead: Content | None = None
    """Drawn already for the next painting."""

    def draw(self, width: int) -> Content:
        """What it says, for so many cells."""
        raise NotImplementedError

    def redraw(self, *, layout: bool = False) -> None:
        """Paint it anew where it differs from what was painted; with `layout` its height may differ too."""
        content = self.draw(self._cells)
        if self._drawn is None or not content.is_same(self._drawn):
            self._ahead = content
            self.refresh(layout=layout)

    def render(self) -> Content:
        content, self._ahead = self._ahead, None
        if content is None:
            content = self.draw(self._cells)
        self._drawn = content
        return content

    def on_resize(self) -> None:
        self._ahead = None
        self.refresh()

    @property
    def _cells(self) -> int:
        return max(LEAST_CELLS, self.content_size.width)


class Drawn(Redrawn):
    """Made from a function; lines that are too long are cut."""

    DEFAULT_CSS = "Drawn { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(
        self,
        draw: Callable[[int], Content],
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._draw = draw

    def draw(self, width: int) -> Content:
        return self._draw(width)
