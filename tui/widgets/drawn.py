"""A widget that is a function of its width."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widget import Widget


class Drawn(Widget):
    """Draws itself when it is refreshed and when its size changes; lines that are too long are cut."""

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

    def render(self) -> Content:
        return self._draw(max(10, self.content_size.width))
