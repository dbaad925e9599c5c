"""Tracks into training, validation and test: never a track, and where tags tell never an artist, in two.

Segments of one recording are near copies of each other, and songs of one artist share voice, band and
studio; a split that ignores this measures memory in place of hearing.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.library.duplicates import leaders

PARTS = ("train", "validation", "test")
FEWEST_PER_GENRE = 3
NOBODY = frozenset({"", "unknown", "unknown artist", "various", "various artists", "va", "n/a", "none"})


@dataclass(frozen=True)
class Member:
    """One track to be placed; the name is its own alone."""

    name: str
    genre: str
    artist: str = ""
    album: str = ""
    recording: str = ""
    """Members with the same one sound the same."""


@dataclass(frozen=True)
class Split:
    """The part of each track by name, and by genre what stays together."""

    parts: dict[str, str]
    grouping: dict[str, str]


def split_tracks(members: Sequence[Member], validation_share: float, test_share: float, seed: int) -> Split:
    """Place each track, genre by genre in these shares, the same way for the same seed.

    Each genre needs at least three tracks and gets at least one in each part. Tracks of one artist
    stay together where a genre has enough artists for that, else those of one album, else each
    track is its own group. Tracks of one recording stay together always.
    """
    by_genre = _by_genre(members)
    grouping, keys = groups_of(members)
    groups: dict[str, list[Member]] = defaultdict(list)
    for of_genre in by_genre.values():
        for member in of_genre:
            groups[keys[member.name]].append(member)

    wanted = {genre: _wanted(len(of), validation_share, test_share) for genre, of in by_genre.items()}
    parts: dict[str, str] = {}
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    # Groups over several genres, then large ones, are hardest to place.
    order.sort(key=lambda key: (-len({m.genre for m in groups[key]}), -len(groups[key])))
    placed: dict[str, Counter[str]] = {genre: Counter() for genre in by_genre}
    for key in order:
        group = groups[key]
        part = max(PARTS, key=lambda part: _need(group, part, wanted, placed))
        for member in group:
            parts[member.name] = part
            placed[member.genre][part] += 1
    _fill_empty(by_genre, parts, placed, grouping)
    return Split(parts, grouping)


def split_folds(members: Sequence[Member], folds: int, seed: int) -> list[int]:
    """The fold of each track: groups as in `split_tracks` stay together, each genre is spread evenly.

    With 0 folds each group is one: leave-one-out.
    """
    _grouping, keys = groups_of(members)
    groups: dict[str, list[int]] = defaultdict(list)
    for place, member in enumerate(members):
        groups[keys[member.name]].append(place)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda key: -len(groups[key]))
    count = min(folds or len(order), len(order))
    filled: list[Counter[str]] = [Counter() for _fold in range(count)]
    found = [0] * len(members)
    for key in order:
        genres = Counter(members[place].genre for place in groups[key])
        fold = min(
            range(count),
            key=lambda fold: (sum(filled[fold][genre] for genre in genres), filled[fold].total()),
        )
        filled[fold] += genres
        for place in groups[key]:
            found[place] = fold
    return found


def groups_of(members: Sequence[Member]) -> tuple[dict[str, str], dict[str, str]]:
    """By genre what stays together (`artist`, `album` or only the `track`), and the group of each name."""
    grouping: dict[str, str] = {}
    keys: dict[str, str] = {}
    for genre, of_genre in _by_genre(members).items():
        grouping[genre], found = _group(of_genre)
        keys.update(zip((member.name for member in of_genre), found, strict=True))
    first: dict[str, str] = {}
    joined = leaders(
        (first.setdefault(member.recording, keys[member.name]), keys[member.name])
        for member in members
        if member.recording
    )
    return grouping, {name: joined.get(key, key) for name, key in keys.items()}


def _by_genre(members: Sequence[Member]) -> dict[str, list[Member]]:
    found: dict[str, list[Member]] = defaultdict(list)
    for member in sorted(members, key=lambda member: (member.genre, member.name)):
        found[member.genre].append(member)
    return found


def _group(members: list[Member]) -> tuple[str, list[str]]:
    for level in ("artist", "album"):
        keys = []
        for member in members:
            artist, album = member.artist.strip().casefold(), member.album.strip().casefold()
            name = artist if level == "artist" else album and f"{artist}/{album}"
            known = (artist if level == "artist" else album) not in NOBODY
            keys.append(f"{level}:{name}" if known else f"track:{member.name}")
        sizes = Counter(keys)
        told = any(key.startswith(level) for key in keys)
        # One group with most of a genre leaves nothing to measure it with.
        if told and len(sizes) >= FEWEST_PER_GENRE and max(sizes.values()) <= len(members) / 2:
            return level, keys
    return "track", [f"track:{member.name}" for member in members]


def _wanted(number: int, validation_share: float, test_share: float) -> dict[str, int]:
    test = max(1, round(number * test_share))
    validation = max(1, round(number * validation_share))
    return {"train": max(1, number - validation - test), "validation": validation, "test": test}


def _need(
    group: list[Member], part: str, wanted: dict[str, dict[str, int]], placed: dict[str, Counter[str]]
) -> float:
    """How far a part is from its wanted number, in shares, over the group's tracks; big is needy."""
    return sum(
        (wanted[member.genre][part] - placed[member.genre][part]) / wanted[member.genre][part]
        for member in group
    )


def _fill_empty(
    by_genre: dict[str, list[Member]],
    parts: dict[str, str],
    placed: dict[str, Counter[str]],
    grouping: dict[str, str],
) -> None:
    """A genre absent from a part gets one track there, and is then split by track only."""
    for genre, members in sorted(by_genre.items()):
        for part in PARTS:
            if placed[genre][part] or len(members) < FEWEST_PER_GENRE:
                continue
            fullest = max(PARTS, key=lambda name: placed[genre][name])
            member = next(member for member in members if parts[member.name] == fullest)
            parts[member.name] = part
            placed[genre][fullest] -= 1
            placed[genre][part] += 1
            grouping[genre] = "track"
