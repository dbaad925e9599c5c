"""A prompt as a row of pieces: the longest word that is known, at each place."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib.resources import files

from assistant.musicgen.prompts import dictionary
from assistant.musicgen.prompts.glossary import Term, by_chinese, by_english
from assistant.musicgen.prompts.numbers import number_at

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CHINESE = re.compile(f"[{_HAN}]")
_LATIN = re.compile(r"[A-Za-z0-9][\w'&+./#-]*(?:\s+[A-Za-z0-9][\w'&+./#-]*)*", re.ASCII)
_LATIN_WORD = re.compile(r"\S+")

_SMALL = frozenset(("a", "an", "the", "and", "with", "of", "in", "for", "by"))
_END = re.compile(r"[，,。．.；;：:！!？?（）()「」『』\n]")
_LONGEST = 8
"""Characters of the longest term; a test sees to it."""


@dataclass(frozen=True)
class Piece:
    """A part of the prompt. `kind` is one of the glossary's, or a number's, or `plain` (words that stay as
    they are), `word` (from the dictionary), `unknown`, or a mark: `not`, `not too`, `and`, `of`, `end`."""

    kind: str
    text: str
    english: str = ""


def is_chinese(text: str) -> bool:
    """Whether a prompt has Chinese characters."""
    return _CHINESE.search(text) is not None


def pieces(text: str) -> list[Piece]:
    """The pieces of a prompt in their order, without what says nothing about the music."""
    found: list[Piece] = []
    place = 0
    while place < len(text):
        number = number_at(text, place)
        if number is not None:
            said, end = number
            found.append(Piece(said.kind, text[place:end], said.english))
            place = end
        elif latin := _LATIN.match(text, place):
            found += _latin_pieces(latin.group())
            place = latin.end()
        elif _CHINESE.match(text, place):
            piece = _chinese_piece(text, place)
            place += len(piece.text)
            if piece.kind == "unknown" and found and found[-1].kind == "unknown":
                found[-1] = Piece("unknown", found[-1].text + piece.text)
            elif piece.kind:
                found.append(piece)
        else:
            if text[place] in "、/&":
                found.append(Piece("and", text[place]))
            elif _END.match(text, place):
                found.append(Piece("end", text[place]))
            place += 1
    return found


@functools.cache
def _marks() -> dict[str, str]:
    """The words that are no music, with the kind of piece that they are; nothing for those to leave out."""
    marks = {}
    for line in files(__package__).joinpath("marks.tsv").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            kind, words = line.split("\t")
            marks.update(dict.fromkeys(words.split(" "), "" if kind == "nothing" else kind))
    return marks


def _chinese_piece(text: str, place: int) -> Piece:
    """The longest word at this place: of two equally long ones the glossary's, then a mark."""
    terms, marks = by_chinese(), _marks()
    for length in range(min(_LONGEST, len(text) - place), 0, -1):
        word = text[place : place + length]
        if word in terms:
            return Piece(terms[word].kind, word, terms[word].english)
        if word in marks:
            return Piece(marks[word], word)
        if not 1 < length <= dictionary.LONGEST_WORD or _hides_a_term(text, place, place + length):
            continue
        if dictionary.is_word(word):
            english = dictionary.english_of(word)
            return Piece("word" if english else "unknown", word, english)
    return Piece("unknown", text[place])


def _hides_a_term(text: str, place: int, end: int) -> bool:
    """Whether a term of the glossary with two or more characters begins in this part of a text: that says
    more than a word of the dictionary which takes a piece of it."""
    terms = by_chinese()
    return any(
        text[start : start + length] in terms
        for start in range(place, end)
        for length in range(2, _LONGEST + 1)
        if start + length <= len(text)
    )


def _latin_pieces(run: str) -> list[Piece]:
    """English in a prompt: terms of the glossary where they are, the rest as it stands."""
    words = [match.group() for match in _LATIN_WORD.finditer(run)]
    found: list[Piece] = []
    place = 0
    while place < len(words):
        if words[place].casefold() in _SMALL:
            found.append(Piece("and", words[place]))
            place += 1
            continue
        for end in range(len(words), place, -1):
            phrase = " ".join(words[place:end]).rstrip(".,")
            term: Term | None = by_english().get(phrase.casefold())
            if term is not None:
                found.append(Piece(term.kind, phrase, term.english))
                break
        else:
            end = place + 1
            if found and found[-1].kind == "plain":
                found[-1] = Piece("plain", *[f"{found[-1].text} {words[place]}"] * 2)
            else:
                found.append(Piece("plain", words[place], words[place]))
        place = end
    return found
