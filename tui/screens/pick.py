"""A choice from a list, narrowed by typing."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from assistant.i18n import _
from tui.actions import bindings_of
from tui.text import fit, len_cells, pad, visible
from tui.widgets.form import Option
from tui.widgets.keybar import KeyBar
from tui.widgets.rows import RowList


def matches(text: str, option: Option) -> bool:
    """Whether the typed letters come in the option's label in this order; width and case do not matter."""
    letters = iter(unicodedata.normalize("NFKC", option.label).casefold())
    return all(letter in letters for letter in unicodedata.normalize("NFKC", text).casefold().strip())


class PickScreen(ModalScreen[Any], inherit_bindings=False):
    """Answers with the value of the option (a tuple of them with `several`), or None after Esc."""

    BINDINGS = bindings_of("pick")

    def __init__(
        self,
        title: str,
        options: Sequence[Option],
        value: Any = None,
        *,
        several: bool = False,
        chosen: Sequence[Any] = (),
        new: Callable[[str], Option | None] = lambda _text: None,
    ) -> None:
        """`new` gives the option for a text that none of the others is."""
        super().__init__()
        self._heading = title
        self._options = list(options)
        self._value = value
        self._several = several
        self._chosen = list(chosen)
        self._new = new

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain tall"):
            yield Static(Content(self._heading), id="dialog-title")
            box = Input(placeholder=_("type to narrow"), compact=True)
            box.cursor_blink = False
            yield box
            rows = RowList(self._line, key=lambda option: option.value, empty=lambda: _("Nothing matches."))
            rows.can_focus = False
            rows.always_marked = True
            yield rows
            if self._several:
                yield Static(Content(_("Enter marks; Enter on “Done” takes the marked ones.")), id="ask-help")
            yield KeyBar("pick", always=())

    def on_mount(self) -> None:
        self._narrow("")
        values = [option.value for option in self._options]
        if not self._several and self._value in values:
            self._rows.mark(values.index(self._value))

    @property
    def _rows(self) -> RowList[Option]:
        return self.query_one(RowList)

    def _line(self, option: Option, width: int) -> Content:
        label = min(
            max(len_cells(visible(item.label)) for item in self._rows.rows) + 2, max(12, width * 2 // 3)
        )
        mark = ""
        if self._several and option.value is not None:
            mark = "■ " if option.value in self._chosen else "□ "
        return Content.assemble(
            " ",
            mark,
            pad(visible(option.label), label),
            (fit(visible(option.detail), max(0, width - label - 4)), "$dim"),
        )

    def _narrow(self, text: str) -> None:
        found = [option for option in self._options if matches(text, option)]
        if self._several:
            found.append(Option(None, _("Done")))
        made = self._new(text.strip()) if text.strip() else None
        if made is not None:
            found.append(made)
        self._rows.show(found)
        self._rows.mark(0)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._narrow(event.value)

    @on(Input.Submitted)
    def _done(self) -> None:
        option = self._rows.current
        if option is None:
            return
        if not self._several:
            self.dismiss(option.value)
        elif option.value is None:
            self.dismiss(tuple(self._chosen))
        else:
            if option.value in self._chosen:
                self._chosen.remove(option.value)
            else:
                self._chosen.append(option.value)
            self._rows.refresh()

    def action_move(self, lines: int) -> None:
        self._rows.action_move(lines)

    def action_close(self) -> None:
        self.dismiss(None)
