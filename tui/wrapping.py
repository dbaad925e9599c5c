"""Breaking text into lines by the cells it takes; Chinese and Japanese break between characters.

A small part of Unicode Standard Annex 14: breaks after spaces and hyphens and beside wide characters, but
no line begins with closing punctuation or ends with opening punctuation. A word too long for a line is cut.
"""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len

_NEVER_FIRST = frozenset("，。、；：？！）」』》〉】〕…‥·ー々%％,.;:?!)]}»›”’")
_NEVER_LAST = frozenset("（「『《〈【〔([{«‹“‘")


def wrap(text: str, cells: int) -> list[str]:
    """The text as lines of at most so many cells; its own line breaks stay."""
    return [line for part in text.split("\n") for line in _wrap_line(part, max(1, cells))]


def _wrap_line(text: str, cells: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if line and cell_len((line + piece).rstrip()) > cells:
            lines.append(line.rstrip())
            line, piece = "", piece.lstrip()
        while cell_len(piece.rstrip()) > cells:
            head = _head(piece, cells)
            lines.append(head)
            piece = piece[len(head) :]
        line += piece
    return [*lines, line.rstrip()] if line or not lines else lines


def _pieces(text: str) -> list[str]:
    """What stays together."""
    pieces: list[str] = []
    start = 0
    for place in range(1, len(text)):
        if _may_break(text[place - 1], text[place]):
            pieces.append(text[start:place])
            start = place
    return [*pieces, text[start:]] if text else []


def _may_break(before: str, after: str) -> bool:
    if after in _NEVER_FIRST or before in _NEVER_LAST or after == " " or unicodedata.combining(after):
        return False
    return before in " -" or _is_wide(before) or _is_wide(after)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _head(text: str, cells: int) -> str:
    """As much of the beginning as fits; one character at least."""
    end = 1
    while end < len(text) and cell_len(text[: end + 1]) <= cells:
        end += 1
    return text[:end]
