"""Forms of captions: text with {fields}, and [parts in brackets] that go where a field of theirs is empty."""

from __future__ import annotations

import re
from collections.abc import Mapping

_FIELD = re.compile(r"\{(\w+)\}")
_PART = re.compile(r"\[([^\[\]]*)\]")

FORMS = (
    "{subject}[ in {key}][ at {tempo}][ in {meter} time][ with {instruments}]"
    "[, probably with {likely_instruments}]. [It {character}.]",
    "{subject}[ featuring {instruments}][ at {tempo}][ in {key}][ in {meter} time]"
    "[, probably featuring {likely_instruments}]. [It {character}.]",
    "{subject}[ with {instruments}][, probably with {likely_instruments}][, in {key}][, at {tempo}]"
    "[, in {meter} time]. [It {character}.]",
    "{subject}[ at {tempo}][ in {meter} time][, in {key}][, featuring {instruments}]"
    "[, probably featuring {likely_instruments}]. [It {character}.]",
)
"""The built-in forms; the first word of each sentence gets a capital."""


def fill(form: str, fields: Mapping[str, str]) -> str:
    """A form with its fields put in; parts in brackets with an empty field are left out."""

    def part(match: re.Match[str]) -> str:
        names = _FIELD.findall(match[1])
        return match[1] if all(fields.get(name) for name in names) else ""

    text = _FIELD.sub(lambda match: fields.get(match[1], ""), _PART.sub(part, form))
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" ([.,])", r"\1", text)
    return re.sub(r"(^|[.!?] )(\w)", lambda match: match[1] + match[2].upper(), text)
