"""Form fields made from what the settings mean, so that a new setting appears by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assistant.i18n import _
from tui.widgets.form import Field, Option

if TYPE_CHECKING:
    from assistant.musicgen.meaning import Meaning


def field_of(meaning: Meaning, **changes: Any) -> Field:
    """The field for a setting; `changes` are other values of the field's."""
    options = [Option(choice, choice) for choice in meaning.choices]
    kind: Any = meaning.kind
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
