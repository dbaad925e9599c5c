"""The caption of a track as a place to write in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from tui.actions import bindings_of

if TYPE_CHECKING:
    from tui.app import MusicHelperApp


class CaptionEdit(TextArea):
    """One line that is broken where it is too long. Takes the keys while it has the focus."""

    BINDINGS = bindings_of("caption")

    app: MusicHelperApp

    class Done(Message):
        """The person has written, or left all as it was (None)."""

        def __init__(self, text: str | None) -> None:
            super().__init__()
            self.text = text

    def __init__(self, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes="caption", compact=True, highlight_cursor_line=False)
        self.cursor_blink = False

    def begin(self, text: str) -> None:
        """Begin with a text."""
        self.text = text
        self.move_cursor(self.document.end)
        self.focus()

    async def _on_key(self, event: events.Key) -> None:
        action = self.app.keys.action_for("caption", event.key)
        if action is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        await self.run_action(action.call)

    def action_save(self) -> None:
        self._end(" ".join(self.text.split()))

    def action_close(self) -> None:
        self._end(None)

    def _end(self, text: str | None) -> None:
        self.screen.set_focus(None)
        self.post_message(self.Done(text))
