"""One line of text asked for, with earlier answers on the arrow keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tui.actions import bindings_of
from tui.widgets.keybar import KeyBar
from tui.widgets.prose import Passage, Prose


class AskScreen(ModalScreen[str | None], inherit_bindings=False):
    """Answers with the text, or None after Esc."""

    BINDINGS = bindings_of("pick")

    def __init__(
        self,
        title: str,
        value: str = "",
        *,
        help: str = "",  # noqa: A002 - plain in this place
        history: Sequence[str] = (),
        check: Callable[[str], str] = lambda _text: "",
    ) -> None:
        super().__init__()
        self._heading, self._value, self._help = title, value, help
        self._history = list(history)
        self._place = -1
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain"):
            yield Prose(Passage(self._heading), id="dialog-title")
            box = Input(self._value, compact=True, select_on_focus=False)
            box.cursor_blink = False
            yield box
            yield Prose(Passage(self._help), id="ask-help")
            yield KeyBar("pick", always=())

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._say(self._check(event.value))

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        problem = self._check(event.value)
        if problem:
            self._say(problem)
        else:
            self.dismiss(event.value)

    def _say(self, problem: str) -> None:
        passage = Passage(problem, "$text-error") if problem else Passage(self._help)
        self.query_one("#ask-help", Prose).show(passage)

    def action_move(self, lines: int) -> None:
        """Up goes to the answer before, down to the one after it."""
        place = max(-1, min(len(self._history) - 1, self._place - lines))
        if place != self._place:
            self._place = place
            box = self.query_one(Input)
            box.value = self._history[place] if place >= 0 else self._value
            box.cursor_position = len(box.value)

    def action_close(self) -> None:
        self.dismiss(None)
