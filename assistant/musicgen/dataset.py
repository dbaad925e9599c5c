"""Which tracks are learnt and which are held out, and the crops of each step."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.musicgen.chroma import ChromaCache, Melodies, together
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.texts import TextMix, Texts, draw_with_melody, rating_of, read_texts
from assistant.musicgen.tokens import TokenCache, tracks_with_audio

HELD_OUT_SHARE = 0.1
CROPS_PER_HELD_OUT_TRACK = 2
MOST_HELD_OUT_CROPS = 32
LARGEST_GROUP_SHARE = 0.2
"""An artist with more of the tracks than this is split by track: held out whole, it would say little
about the rest."""


@dataclass(frozen=True)
class Example:
    """A track as training sees it."""

    content: str
    path: str
    caption: str | None
    """The caption's file, relative to the library."""
    genre: str | None
    artist: str


@dataclass(frozen=True)
class Batch:
    """Crops that are learnt, or looked at, together."""

    tokens: NDArray[np.int64]
    """`[batch, codebooks, frames]`; the number after the last code fills what a short track lacks."""
    captions: list[str | None]
    """None where the crop is learnt without words."""
    melodies: Melodies | None = None
    """For a model that follows them."""

    def __len__(self) -> int:
        return len(self.captions)

    def part(self, rows: slice) -> Batch:
        """Some of the crops."""
        melodies = None if self.melodies is None else self.melodies.part(rows)
        return Batch(self.tokens[rows], self.captions[rows], melodies)


def choose_examples(library: Library, spec: FinetuneSpec) -> list[Example]:
    """The ready tracks that a fine-tune asks for; without genres those of all, and where nothing has a
    genre, every track."""
    examples = [
        Example(
            content=track.content,
            path=os.fsdecode(track.path),
            caption=os.fsdecode(track.caption) if track.caption else None,
            genre=library.genre_of(track.path),
            artist=track.artist.strip().casefold(),
        )
        for track in tracks_with_audio(library)
        if _wanted(library, track, spec)
    ]
    if spec.genres:
        return [example for example in examples if example.genre in spec.genres]
    return [example for example in examples if example.genre] or examples


def _wanted(library: Library, track: Track, spec: FinetuneSpec) -> bool:
    seconds = track.duration or 0.0
    if seconds < spec.least_seconds or (spec.most_seconds and seconds > spec.most_seconds):
        return False
    if spec.folder and not track.path.is_relative_to(spec.folder):
        return False
    return not spec.least_rating or rating_of(library.root, track.caption) >= spec.least_rating


def nothing_to_learn() -> MusicHelperError:
    """What to say where a fine-tune would have no track."""
    return MusicHelperError(
        _("There is no track to learn from."),
        _("Put music into the genre folders, run `musichelper watch --once`, and try again."),
    )


def split(examples: list[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Tracks to learn and tracks held out, about one in ten; an artist's tracks stay on one side.

    The choice depends on the seed and the artists (the contents, where no artist is known), so a
    new track moves few others.
    """
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[f"artist {example.artist}" if example.artist else example.content].append(example)
    for key, members in list(groups.items()):
        if len(members) > max(1, LARGEST_GROUP_SHARE * len(examples)):
            del groups[key]
            for example in members:
                groups[example.content] = [example]
    wanted = round(HELD_OUT_SHARE * len(examples)) or (1 if len(examples) > 1 else 0)
    held: set[str] = set()
    count = 0
    for key in sorted(groups, key=lambda key: _rank(seed, key)):
        if count >= wanted:
            break
        if count + len(groups[key]) < len(examples):
            held.add(key)
            count += len(groups[key])
    learnt = [example for key, members in groups.items() if key not in held for example in members]
    return learnt, [example for key in held for example in groups[key]]


class Crops:
    """Random crops of tracks in token space.

    Each step's crops follow from the seed, the attempt and the step's number alone, so a resumed run
    goes on with exactly the crops that it would have had.
    """

    def __init__(
        self,
        root: Path,
        examples: list[Example],
        cache: TokenCache,
        *,
        frames: int,
        padding: int,
        mix: TextMix,
        seed: int,
        melodies: ChromaCache | None = None,
    ) -> None:
        self._melodies = melodies
        self._root = root
        self._examples = examples
        self._cache = cache
        self._frames = frames
        self._padding = padding
        self._mix = mix
        self._seed = seed
        lengths = np.array([cache.frames(example.content) for example in examples], np.float64)
        # A long track is chosen more often, but a symphony does not drown the songs.
        weights = np.sqrt(np.clip(lengths, 1, None))
        self._weights = weights / weights.sum()

    def batch(self, step: int, size: int, attempt: int = 0) -> Batch:
        """The `size` crops of a step; other ones in another attempt at it."""
        chooser = np.random.default_rng((self._seed, step, attempt) if attempt else (self._seed, step))
        drawn = []
        for index in chooser.choice(len(self._examples), size, p=self._weights):
            example = self._examples[index]
            spare = max(0, self._cache.frames(example.content) - self._frames)
            start = int(chooser.integers(spare + 1))
            drawn.append((example, start, *draw_with_melody(self._texts(example), self._mix, chooser)))
        return self._batch(drawn)

    def held_out(self) -> Batch:
        """Always the same crops, evenly over each track, with their captions."""
        places: list[tuple[Example, int]] = []
        for part in range(CROPS_PER_HELD_OUT_TRACK):
            for example in self._examples:
                spare = self._cache.frames(example.content) - self._frames
                if spare > 0 or part == 0:
                    share = (part + 1) / (CROPS_PER_HELD_OUT_TRACK + 1)
                    places.append((example, int(max(0, spare) * share)))
        return self._batch(
            [
                (example, start, self._texts(example).caption or None, True)
                for example, start in places[:MOST_HELD_OUT_CROPS]
            ]
        )

    def captions(self, most: int) -> list[str | None]:
        """The captions of the first tracks."""
        return [self._texts(example).caption or None for example in self._examples[:most]]

    def _texts(self, example: Example) -> Texts:
        return read_texts(self._root, example.caption, example.genre)

    def _batch(self, drawn: list[tuple[Example, int, str | None, bool]]) -> Batch:
        """Of tracks, the first frame of a crop of each, its words, and whether its melody is heard."""
        return Batch(
            np.stack([self._crop(example, start) for example, start, _text, _heard in drawn]),
            [text for _example, _start, text, _heard in drawn],
            None
            if self._melodies is None
            else together([self._melody(example, start, heard) for example, start, _text, heard in drawn]),
        )

    def _melody(self, example: Example, start: int, heard: bool) -> Melodies:
        assert self._melodies is not None
        sounding = min(self._frames, self._cache.frames(example.content) - start) if heard else 0
        return self._melodies.crop(example.content, start, self._frames, sounding)

    def _crop(self, example: Example, start: int) -> NDArray[np.int64]:
        tokens = self._cache.read(example.content)[:, start : start + self._frames]
        row = np.full((tokens.shape[0], self._frames), self._padding, np.int64)
        row[:, : tokens.shape[1]] = tokens
        return row


def examples_from(rows: list[dict[str, Any]]) -> list[Example]:
    """Examples as a run has written them down."""
    return [Example(**row) for row in rows]


def _rank(seed: int, key: str) -> bytes:
    return hashlib.blake2b(f"{seed} {key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
