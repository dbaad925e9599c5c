"""Dialogs: a text to read and copy, and a question with yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from assistant.i18n import _
from tui.actions import bindings_of
from tui.text import visible
from tui.widgets.keybar import KeyBar
from tui.widgets.prose import Passage, Prose

if TYPE_CHECKING:
    from tui.app import MusicHelperApp


class TextDialog(ModalScreen[None], inherit_bindings=False):
    """A title and a text that scrolls. The text is shown as it is, never as markup."""

    BINDINGS = bindings_of("dialog")

    app: MusicHelperApp

    def __init__(
        self, title: str, text: str, *, hint: str = "", kind: str = "plain", copy: str | None = None
    ) -> None:
        super().__init__()
        self._heading, self._text, self._hint = title, text, hint
        self._kind = kind
        self._copy = copy

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes=self._kind):
            yield Prose(Passage(_lines(self._heading)), id="dialog-title")
            with VerticalScroll(id="dialog-body"):
                if self._hint:
                    yield Prose(Passage(_lines(self._hint)), id="dialog-hint")
                if self._text:
                    yield Prose(Passage(_lines(self._text)), id="dialog-text")
            yield KeyBar("dialog", always=())

    def on_mount(self) -> None:
        self.query_one("#dialog-body").focus()

    def action_close(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        text = self._copy or "\n".join(part for part in (self._heading, self._hint, self._text) if part)
        self.app.copy_to_clipboard(text)
        self.app.notify(_("Copied, if your terminal allows it."), markup=False, timeout=3)


class ConfirmDialog(ModalScreen[bool], inherit_bindings=False):
    """A question; Enter or y is yes, Esc or n is no."""

    BINDINGS = bindings_of("confirm")

    def __init__(self, question: str, detail: str = "") -> None:
        super().__init__()
        self._question, self._detail = question, detail

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain"):
            yield Prose(Passage(_lines(self._question)), id="dialog-title")
            yield Prose(Passage(_lines(self._detail)), id="dialog-text")
            yield KeyBar("confirm", always=())

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)


def _lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.replace("\t", "    ").splitlines())
