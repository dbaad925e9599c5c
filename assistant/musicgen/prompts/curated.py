"""Good prompts, each in English and in Chinese, and those nearest to what a person wrote."""

from __future__ import annotations

import functools
import math
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files

from assistant.musicgen.prompts.reading import pieces


@dataclass(frozen=True)
class Curated:
    """A prompt that MusicGen understands well, with what it means in Chinese."""

    english: str
    chinese: str


@functools.cache
def curated_prompts() -> list[Curated]:
    """All of them, in the order of the file."""
    text = files(__package__).joinpath("curated.tsv").read_text("utf-8")
    lines = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return [Curated(english, chinese) for english, chinese in lines]


def nearest(prompt: str, count: int = 3) -> list[Curated]:
    """The prompts that share most with this one, in Chinese or English; fewer where nothing is shared."""
    wanted = _words(prompt)
    rarity = _rarity()
    scores = []
    for place, words in enumerate(_curated_words()):
        shared = sum(rarity.get(word, 0.0) ** 2 for word in wanted & words)
        length = math.sqrt(sum(rarity[word] ** 2 for word in words))
        scores.append((-shared / length, place))
    return [curated_prompts()[place] for score, place in sorted(scores)[:count] if score < 0]


def _words(prompt: str) -> frozenset[str]:
    """What a prompt names: the glossary's terms, and each of their words for what is nearly the same."""
    named = {piece.english for piece in pieces(prompt) if piece.english}
    return frozenset(named | {word for english in named for word in english.casefold().split()} - _SMALL)


_SMALL = frozenset({"a", "an", "and", "for", "the", "with", "of", "bpm", "piece", "music", "song"})


@functools.cache
def _curated_words() -> list[frozenset[str]]:
    return [_words(one.chinese) | _words(one.english) for one in curated_prompts()]


@functools.cache
def _rarity() -> dict[str, float]:
    """How much a word tells: the logarithm of how few prompts have it (inverse document frequency)."""
    counts = Counter(word for words in _curated_words() for word in words)
    return {word: math.log((1 + len(_curated_words())) / count) for word, count in counts.items()}
