"""The caption of a track as a line to write in."""

from __future__ import annotations

from textual.message import Message
from textual.widgets import Input

from tui.actions import bindings_of


class CaptionEdit(Input):
    """Takes the keys while it has the focus; tells when it is done."""

    BINDINGS = bindings_of("caption")

    class Done(Message):
        """The person has written, or left all as it was (None)."""

        def __init__(self, text: str | None) -> None:
            super().__init__()
            self.text = text

    def __init__(self, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(compact=True, select_on_focus=False, id=id, classes="caption")
        self.cursor_blink = False

    def edit(self, text: str) -> None:
        """Begin with a text."""
        self.value = text
        self.cursor_position = len(text)
        self.focus()

    def action_save(self) -> None:
        self._end(self.value)

    def action_close(self) -> None:
        self._end(None)

    def _end(self, text: str | None) -> None:
        self.screen.set_focus(None)
        self.post_message(self.Done(text))
