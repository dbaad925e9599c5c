"""Writing a prompt, with earlier ones and captions of the person's own music over the line."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from assistant.i18n import _
from tui.actions import bindings_of
from tui.text import pad, visible
from tui.widgets.keybar import KeyBar
from tui.widgets.rows import RowList

SOURCE_CELLS = 11


@dataclass(frozen=True)
class Suggestion:
    """A text to take, and where it is from."""

    text: str
    source: str


class PromptScreen(ModalScreen[str | None], inherit_bindings=False):
    """Answers with the prompt, or None after Esc. Up goes to earlier prompts, then to captions.

    What is typed narrows the list to those with all its words.
    """

    BINDINGS = bindings_of("pick")

    def __init__(
        self,
        value: str,
        earlier: Sequence[str],
        captions: Sequence[tuple[str, str]],
        says: Callable[[str], str] = lambda _text: "",
    ) -> None:
        """`says` gives a word on what is typed, shown below it."""
        super().__init__()
        self._value, self._says = value, says
        self._all = [Suggestion(text, _("earlier")) for text in earlier]
        self._all += [Suggestion(text, genre) for genre, text in captions]
        self._chose = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain tall wide"):
            yield Static(Content(_("Prompt")), id="dialog-title")
            rows: RowList[Suggestion] = RowList(
                self._line,
                key=lambda one: (one.text, one.source),
                empty=lambda: _("Nothing matches; Enter takes what is written."),
            )
            rows.can_focus = False
            yield rows
            box = Input(self._value, compact=True, select_on_focus=False)
            box.cursor_blink = False
            yield box
            yield Static(Content(self._help()), id="ask-help")
            yield KeyBar("pick", always=())

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._narrow("")

    def take_captions(self, captions: Sequence[tuple[str, str]]) -> None:
        """Captions that were read meanwhile."""
        self._all = [one for one in self._all if one.source == _("earlier")]
        self._all += [Suggestion(text, genre) for genre, text in captions]
        if not self._chose:
            self._narrow("")

    @property
    def _rows(self) -> RowList[Suggestion]:
        return self.query_one(RowList)

    def _narrow(self, text: str) -> None:
        words = _folded(text).split()
        found = [one for one in self._all if all(word in _folded(one.text) for word in words)]
        self._rows.show(list(reversed(found)))  # the newest is next to the line
        self._rows.mark(len(found) - 1)
        self._rows.always_marked = False

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if event.value != self._value:
            self._narrow(event.value)
        self.query_one("#ask-help", Static).update(Content(self._says(event.value) or self._help()))

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_move(self, lines: int) -> None:
        rows = self._rows
        if not rows.rows:
            return
        if rows.always_marked:
            rows.action_move(lines)
        rows.always_marked = True
        rows.refresh()
        box, one = self.query_one(Input), rows.current
        if one is not None:
            self._chose = True
            with box.prevent(Input.Changed):  # the list is narrowed by what is typed, not by what is taken
                box.value = one.text
            box.cursor_position = len(box.value)

    def action_close(self) -> None:
        self.dismiss(None)

    def _help(self) -> str:
        return _("In English or Chinese. ↑ brings earlier prompts and captions of your music.")

    def _line(self, one: Suggestion, width: int) -> Content:
        return Content.assemble(
            " ",
            (pad(visible(one.source), SOURCE_CELLS), "$dim"),
            pad(visible(one.text), max(6, width - SOURCE_CELLS - 1)),
        )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
