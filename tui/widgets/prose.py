"""Sentences that are broken into lines as their language wants it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from tui.wrapping import wrap


@dataclass(frozen=True)
class Passage:
    """Text in one style; `lead` stands before it in a style of its own."""

    text: str
    style: str = ""
    lead: str = ""
    lead_style: str = ""


class Prose(Widget):
    """Passages below each other, as high as they need to be."""

    DEFAULT_CSS = "Prose { height: auto; }"

    def __init__(
        self,
        *passages: Passage,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._passages = passages

    def show(self, *passages: Passage) -> None:
        """Show other passages."""
        if passages != self._passages:
            self._passages = passages
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return sum(len(wrap(one.lead + one.text, width)) for one in self._passages)

    def render(self) -> Content:
        lines = [line for one in self._passages for line in _lines(one, max(1, self.content_size.width))]
        return Content("\n").join(lines)


def _lines(passage: Passage, width: int) -> list[Content]:
    lines = wrap(passage.lead + passage.text, width)
    first = min(len(passage.lead), len(lines[0])) if lines else 0
    return [
        Content.assemble((line[:first], passage.lead_style), (line[first:], passage.style))
        if place == 0
        else Content.styled(line, passage.style)
        for place, line in enumerate(lines)
    ]
