"""The words that a crop is learnt with: its caption, its tags or its title, in turn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIELDS = ("genre", "moods", "instrument", "key", "bpm", "keywords")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class TextMix:
    """How the words of a crop are drawn."""

    condition_dropout: float = 0.3
    """How often there are none at all, which guidance needs."""
    tags_share: float = 0.0
    """How often the tags stand in for the caption."""
    title_share: float = 0.0
    """How often the title and the artist do."""
    field_dropout: float = 0.0
    """How often a tag is left out of its list."""
    melody_dropout: float = 0.0
    """How often a melody is, where the words are heard."""


@dataclass(frozen=True)
class Texts:
    """What is written about a track."""

    caption: str
    tags: tuple[str, ...]
    title: str


def read_texts(root: Path, caption: str | None, genre: str | None) -> Texts:
    """The texts of a track as its files say now; the genre stands in for a caption that is missing."""
    if not caption:
        return Texts(genre or "", (genre,) if genre else (), "")
    path = root / caption
    fields = _fields(path.with_suffix(".json"))
    tags = [_words(fields.get(name), name) for name in _FIELDS]
    if genre and not tags[0]:
        tags[0] = genre
    parts = [_words(fields.get(name), name) for name in ("title", "artist")]
    return Texts(
        caption=_line(path) or genre or "",
        tags=tuple(tag for tag in tags if tag),
        title=" by ".join(part for part in parts if part) if parts[0] else "",
    )


def rating_of(root: Path, caption: Path | None) -> float:
    """The `rating` in the fields beside a caption, 0 where there is none."""
    value = _fields((root / caption).with_suffix(".json")).get("rating") if caption else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def draw(texts: Texts, mix: TextMix, chooser: np.random.Generator) -> str | None:
    """The words of one crop, or None for none; always draws as many numbers, so that what a track lacks
    changes no other crop."""
    return draw_with_melody(texts, mix, chooser)[0]


def draw_with_melody(texts: Texts, mix: TextMix, chooser: np.random.Generator) -> tuple[str | None, bool]:
    """The words of one crop, and whether its melody is heard: never without any condition, as in audiocraft's
    `ClassifierFreeGuidanceDropout`, and not always with one (its `AttributeDropout`)."""
    dropped = chooser.random() < mix.condition_dropout
    form = chooser.random()
    order = chooser.permutation(len(_FIELDS))
    kept = chooser.random(len(_FIELDS)) >= mix.field_dropout
    heard = not dropped and (not mix.melody_dropout or chooser.random() >= mix.melody_dropout)
    return None if dropped else _words_of(texts, mix, form, order, kept), heard


def _words_of(
    texts: Texts, mix: TextMix, form: float, order: NDArray[np.int64], kept: NDArray[np.bool_]
) -> str | None:
    if form < mix.title_share and texts.title:
        return texts.title
    if form >= 1 - mix.tags_share and texts.tags:
        count = len(texts.tags)
        chosen = [texts.tags[place] for place in order if place < count and kept[place]]
        return ", ".join(chosen or [texts.tags[int(order[0]) % count]])
    return texts.caption or None


def _line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""
    return " ".join(text.split())


def _fields(path: Path) -> dict[str, Any]:
    """audiocraft's music fields; empty where there are none."""
    try:
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _words(value: Any, name: str) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value if item)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.0f} bpm" if name == "bpm" else f"{value}"
    return str(value).strip() if value else ""
