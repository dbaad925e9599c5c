"""Form fields made from what the settings mean, so that a new setting appears by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assistant.i18n import _
from tui.widgets.form import Field, Option

if TYPE_CHECKING:
    from assistant.musicgen.meaning import Meaning


SEPARATOR = ";"
"""Between several texts in one line; the wide one of a Chinese keyboard is taken as well."""
_SEPARATORS = re.compile(r"[;；]")


def texts_in(line: str) -> tuple[str, ...]:
    """The texts of a line."""
    return tuple(text.strip() for text in _SEPARATORS.split(line) if text.strip())


def as_shown(values: Mapping[str, Any], meanings: Sequence[Meaning]) -> dict[str, Any]:
    """Values of a specification as a form keeps them."""
    shown = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for meaning in meanings:
        if meaning.kind == "texts":
            shown[meaning.name] = f"{SEPARATOR} ".join(shown.get(meaning.name) or ())
    return shown


def as_chosen(values: Mapping[str, Any], meanings: Sequence[Meaning]) -> dict[str, Any]:
    """A form's values as fields of a specification."""
    chosen = dict(values)
    for meaning in meanings:
        value = chosen.get(meaning.name)
        if meaning.kind == "texts":
            chosen[meaning.name] = texts_in(str(value or ""))
        elif meaning.may_be_empty and value == "":
            chosen[meaning.name] = None
    return chosen


def field_of(meaning: Meaning, **changes: Any) -> Field:
    """The field for a setting; `changes` are other values of the field's."""
    options = [Option(choice, choice) for choice in meaning.choices]
    kind: Any = "text" if meaning.kind == "texts" else meaning.kind
    if meaning.kind == "switch":
        kind, options = "choice", [Option(True, _("yes")), Option(False, _("no"))]
    made = Field(
        meaning.name,
        meaning.label,
        kind,
        options=options,
        step=meaning.step,
        least=meaning.least,
        zero=meaning.zero,
        empty=meaning.empty,
        help=meaning.help,
    )
    return replace(made, **changes)


def fields_of(
    meanings: Sequence[Meaning],
    *,
    first: Sequence[str] = (),
    without: Sequence[str] = (),
    changes: dict[str, dict[str, Any]] | None = None,
) -> list[Field]:
    """A field for each setting: those named in `first`, then all others that are not left out."""
    changes = changes or {}
    by_name = {meaning.name: meaning for meaning in meanings}
    names = [*first, *(name for name in by_name if name not in first and name not in without)]
    return [field_of(by_name[name], **changes.get(name, {})) for name in names]
