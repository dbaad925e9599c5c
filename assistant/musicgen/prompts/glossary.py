"""The words of music in Chinese and English: `glossary.tsv`, read once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files

KINDS = (
    "genre", "form", "instrument", "mood", "tempo", "texture", "production", "place", "era", "degree",
)  # fmt: skip


@dataclass(frozen=True)
class Term:
    """One meaning."""

    kind: str
    english: str


@functools.cache
def rows() -> list[tuple[Term, tuple[str, ...]]]:
    """Each term with its Chinese spellings."""
    text = files(__package__).joinpath("glossary.tsv").read_text("utf-8")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            kind, english, spellings = line.split("\t")
            found.append((Term(kind, english), tuple(spellings.split(" "))))
    return found


@functools.cache
def by_chinese() -> dict[str, Term]:
    """The terms by each of their Chinese spellings."""
    return {spelling: term for term, spellings in rows() for spelling in spellings}


@functools.cache
def by_english() -> dict[str, Term]:
    """The terms by their English words in lower case."""
    return {term.english.casefold(): term for term, _spellings in rows() if term.kind != "degree"}
