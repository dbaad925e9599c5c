"""What a setting means, in words for forms and the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from assistant.i18n import _

Kind = Literal["text", "texts", "whole", "number", "switch", "choice", "choices"]


@dataclass(frozen=True)
class Meaning:
    """One setting. A number of 0 that means something has a word for it, and so has an empty value."""

    name: str
    """The field of the specification."""
    label: str
    help: str = ""
    kind: Kind = "text"
    metavar: str = "VALUE"
    step: float = 1.0
    """What one press of a key adds to a number; 0 doubles and halves."""
    least: float = 0.0
    zero: str = ""
    empty: str = ""
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False
    """Whether an empty value is None."""

    @property
    def option(self) -> str:
        """Its option on the command line."""
        name = self.name.removesuffix("_from") if self.name == "continue_from" else self.name
        return "--" + name.replace("_", "-")


def meanings_of(spec: type[Any], known: Sequence[Meaning]) -> list[Meaning]:
    """One for each field of a specification, in its order: what is not described in `known` appears all the
    same, under its own name."""
    words = {meaning.name: meaning for meaning in known}
    found = []
    for field in dataclasses.fields(spec):
        meaning = words.get(field.name) or Meaning(field.name, field.name.replace("_", " "))
        several = str(field.type).startswith("tuple")
        kind: Kind = "text"
        if meaning.choices:
            kind = "choices" if several else "choice"
        elif several:
            kind = "choices" if meaning.kind == "choices" else "texts"
        elif str(field.type).startswith("bool"):
            kind = "switch"
        elif str(field.type).startswith("int"):
            kind = "whole"
        elif str(field.type).startswith("float"):
            kind = "number"
        nothing = "None" in str(field.type)
        empty = meaning.empty or (_("none") if nothing or kind == "texts" else "")
        found.append(replace(meaning, kind=kind, empty=empty, may_be_empty=nothing))
    return found
