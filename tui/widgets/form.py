"""A form without text boxes: a list of values; Enter edits one, left and right change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from textual.content import Content
from textual.message import Message

from assistant.i18n import _
from tui.actions import bindings_of
from tui.text import fit, len_cells, pad, visible
from tui.widgets.rows import RowList

Kind = Literal["text", "whole", "number", "choice", "choices"]


@dataclass(frozen=True)
class Option:
    """One of several values: what is stored, what is shown, and a word about it."""

    value: Any
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Field:
    """One line of a form."""

    name: str
    label: str
    kind: Kind = "text"
    options: Sequence[Option] = ()
    step: float = 1.0
    """What left and right add to a number."""
    least: float = 0.0
    empty: str = ""
    """Shown for an empty value."""
    zero: str = ""
    """Shown for the number 0."""
    help: str = ""
    history: Sequence[str] = field(default=())
    """Earlier values of a text."""


class Form(RowList[Field], inherit_bindings=False):
    """Fields and their values. The values live in a dictionary of the screen's."""

    BINDINGS = bindings_of("list", "form")
    DEFAULT_CSS = "Form { height: auto; max-height: 100%; }"

    class Changed(Message):
        """A value is another one now."""

        def __init__(self, form: Form, name: str) -> None:
            super().__init__()
            self.form = form
            self.name = name

        @property
        def control(self) -> Form:
            return self.form

    def __init__(self, fields: Callable[[], Sequence[Field]], values: dict[str, Any], *, id: str) -> None:  # noqa: A002
        super().__init__(self._line, key=lambda one: one.name, id=id)
        self.add_class("form")
        self._fields = fields
        self.values = values

    def on_mount(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Show fields and values as they are now."""
        fields = list(self._fields())
        self.styles.height = len(fields)
        self.show(fields)

    def put(self, name: str, value: Any) -> None:
        """Set a value and say so."""
        self.values[name] = value
        self.reload()
        self.post_message(self.Changed(self, name))

    def _line(self, one: Field, width: int) -> Content:
        label = max((len_cells(item.label) for item in self.rows), default=10) + 2
        value, known = self._shown(one)
        arrows = one.kind in ("choice", "whole", "number") and self.has_focus and one is self.current
        room = width - label - 5
        return Content.assemble(
            " ",
            (pad(one.label, label), "$dim"),
            ("‹ " if arrows else "  ", "$footer-key-foreground"),
            (fit(value, room), "" if known else "$dim"),
            (" ›" if arrows else "", "$footer-key-foreground"),
        )

    def _shown(self, one: Field) -> tuple[str, bool]:
        value = self.values.get(one.name)
        if one.kind == "choice":
            label = next((option.label for option in one.options if option.value == value), None)
            return (label if label is not None else visible(str(value))), True
        if one.kind == "choices":
            return (", ".join(visible(item) for item in value), True) if value else (one.empty, False)
        if value is None or value == "":
            return one.empty, False
        if value == 0 and one.zero:
            return one.zero, False
        return (f"{value:g}" if isinstance(value, float) else visible(str(value))), True

    # Keys

    def action_change(self, direction: int) -> None:
        one = self.current
        if one is None:
            return
        value = self.values.get(one.name)
        if one.kind == "choice" and one.options:
            places = [option.value for option in one.options]
            place = places.index(value) if value in places else 0
            self.put(one.name, places[(place + direction) % len(places)])
        elif one.kind in ("whole", "number"):
            self.put(one.name, changed(one, value, direction))

    def action_edit(self) -> None:
        one = self.current
        if one is None:
            return
        from tui.screens.ask import AskScreen
        from tui.screens.pick import PickScreen

        value = self.values.get(one.name)
        if one.kind in ("choice", "choices"):
            chosen = value if one.kind == "choices" else None
            self.app.push_screen(
                PickScreen(one.label, one.options, value, several=one.kind == "choices", chosen=chosen or ()),
                lambda picked: None if picked is None else self.put(one.name, picked),
            )
            return

        def take(text: str | None) -> None:
            if text is not None:
                self.put(one.name, parse(one, text))

        text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        self.app.push_screen(
            AskScreen(
                one.label, text, help=one.help, history=one.history, check=lambda typed: problem(one, typed)
            ),
            take,
        )


def changed(one: Field, value: Any, direction: int) -> int | float:
    """A number one step away, never below the least."""
    number = float(value or 0)
    if one.step:
        number += direction * one.step
    else:  # doubles and halves, for values that spread over magnitudes
        number = number * 2 if direction > 0 else number / 2
    number = max(one.least, number)
    return round(number) if one.kind == "whole" else round(number, 10)


def parse(one: Field, text: str) -> Any:
    """What was typed as a value."""
    text = text.strip()
    if one.kind == "whole":
        return int(text) if text else None
    if one.kind == "number":
        return float(text) if text else None
    return text


def problem(one: Field, text: str) -> str:
    """Why a typed value cannot be taken; empty where it can."""
    try:
        value = parse(one, text)
    except ValueError:
        return _("This must be a whole number.") if one.kind == "whole" else _("This must be a number.")
    if one.kind in ("whole", "number"):
        if value is None:
            return "" if one.empty else _("This must be a number.")
        if not one.least <= value < float("inf"):
            return _("This must be {least:g} or more.").format(least=one.least)
    return ""
