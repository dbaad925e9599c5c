"""Tracks and artists stay in one part, and each genre is in all of them."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from assistant.classify.split import PARTS, Member, split_folds, split_tracks


def members(genre: str, count: int, **tags: str) -> list[Member]:
    return [Member(f"{genre}/{number}", genre, **tags) for number in range(count)]


def numbers(parts: dict[str, str], genre: str) -> dict[str, int]:
    return {part: sum(p == part for name, p in parts.items() if name.startswith(genre)) for part in PARTS}


def test_shares_by_genre() -> None:
    split = split_tracks(members("jazz", 20) + members("rock", 5) + members("pop", 3), 0.2, 0.2, 0)
    assert numbers(split.parts, "jazz") == {"train": 12, "validation": 4, "test": 4}
    assert numbers(split.parts, "rock") == {"train": 3, "validation": 1, "test": 1}
    assert numbers(split.parts, "pop") == {"train": 1, "validation": 1, "test": 1}
    assert split.grouping == {"jazz": "track", "rock": "track", "pop": "track"}


def test_the_seed_decides() -> None:
    tracks = members("jazz", 30)
    assert split_tracks(tracks, 0.2, 0.2, 1) == split_tracks(tracks[::-1], 0.2, 0.2, 1)
    assert split_tracks(tracks, 0.2, 0.2, 1) != split_tracks(tracks, 0.2, 0.2, 2)


def test_artists_stay_together_also_over_genres() -> None:
    tracks = [
        Member(f"{genre}/{artist}{n}", genre, artist=f"{genre if artist else 'Both'} {artist}")
        for genre in ("jazz", "rock")
        for artist in range(6)
        for n in range(3)
    ]
    split = split_tracks(tracks, 0.2, 0.2, 0)
    parts = defaultdict(set)
    for track in tracks:
        parts[track.artist.casefold()].add(split.parts[track.name])
    assert all(len(found) == 1 for found in parts.values())
    assert split.grouping == {"jazz": "artist", "rock": "artist"}
    assert all(numbers(split.parts, genre)[part] >= 3 for genre in ("jazz", "rock") for part in PARTS)


def test_one_artist_in_all_falls_back_to_albums_then_tracks() -> None:
    albums = [Member(f"jazz/{a}{n}", "jazz", "Her", f"Album {a}") for a in range(4) for n in range(3)]
    split = split_tracks(albums, 0.2, 0.2, 0)
    assert split.grouping == {"jazz": "album"}
    assert all(len({split.parts[f"jazz/{a}{n}"] for n in range(3)}) == 1 for a in range(4))
    assert split_tracks(members("jazz", 9, artist="Her"), 0.2, 0.2, 0).grouping == {"jazz": "track"}


def test_various_artists_is_nobody() -> None:
    tracks = [Member(f"jazz/{n}", "jazz", "Various Artists" if n < 5 else f"Artist {n}") for n in range(10)]
    split = split_tracks(tracks, 0.2, 0.2, 0)
    assert numbers(split.parts, "jazz") == {"train": 6, "validation": 2, "test": 2}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 2)), min_size=3, max_size=60),
    st.integers(0, 5),
)
def test_every_genre_with_three_tracks_is_in_every_part(rows: list[tuple[int, int, int]], seed: int) -> None:
    names = ["", "A", "B", "C", "D"]
    tracks = [
        Member(f"{genre}/{number}", str(genre), names[artist], names[album])
        for number, (genre, artist, album) in enumerate(rows)
    ]
    split = split_tracks(tracks, 0.2, 0.2, seed)
    assert set(split.parts) == {track.name for track in tracks}
    for genre in {track.genre for track in tracks}:
        if sum(track.genre == genre for track in tracks) >= 3:
            assert all(numbers(split.parts, f"{genre}/").values())


def test_one_recording_stays_together_whatever_its_tags() -> None:
    tracks = [
        Member(f"jazz/{n}", "jazz", f"Artist {n}", recording="r" if n in (1, 7) else "") for n in range(9)
    ]
    tracks += [Member("rock/copy", "rock", "Someone", recording="r"), *members("rock", 5)]
    for seed in range(5):
        parts = split_tracks(tracks, 0.2, 0.2, seed).parts
        assert parts["jazz/1"] == parts["jazz/7"] == parts["rock/copy"]
        folds = dict(zip((track.name for track in tracks), split_folds(tracks, 3, seed), strict=True))
        assert folds["jazz/1"] == folds["jazz/7"] == folds["rock/copy"]
