from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.library.library import Library
from assistant.musicgen.dataset import Crops, Example, choose_examples, split
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.texts import TextMix, Texts, draw, read_texts
from assistant.musicgen.tokens import TokenCache


def example(index: int, artist: str = "") -> Example:
    return Example(f"content{index}", f"jazz/{index}.wav", None, "jazz", artist)


@pytest.fixture
def cache(tmp_path: Path) -> TokenCache:
    cache = TokenCache(tmp_path, "codec", 4)
    for index in range(4):
        frames = (5, 30, 40, 50)[index]
        cache.add(f"content{index}", np.arange(4 * frames).reshape(4, frames).astype(np.int16))
    return cache


def crops(root: Path, cache: TokenCache, seed: int = 0, dropout: float = 0.5) -> Crops:
    return Crops(
        root,
        [example(index) for index in range(4)],
        cache,
        frames=20,
        padding=999,
        mix=TextMix(condition_dropout=dropout),
        seed=seed,
    )


def test_no_track_and_no_artist_is_on_both_sides() -> None:
    examples = [example(index, f"artist {index // 3}") for index in range(60)]
    learnt, held = split(examples, seed=0)
    assert {e.content for e in learnt} | {e.content for e in held} == {e.content for e in examples}
    assert not {e.content for e in learnt} & {e.content for e in held}
    assert not {e.artist for e in learnt} & {e.artist for e in held}
    assert 6 <= len(held) <= 9
    assert split(examples, seed=0) == (learnt, held)


def test_one_artist_for_everything_is_split_by_track() -> None:
    learnt, held = split([example(index, "me") for index in range(20)], seed=0)
    assert (len(learnt), len(held)) == (18, 2)


def test_a_single_track_is_learnt() -> None:
    learnt, held = split([example(0)], seed=0)
    assert (len(learnt), len(held)) == (1, 0)


def test_a_step_has_the_same_crops_whenever_it_is_asked_for(tmp_path: Path, cache: TokenCache) -> None:
    first = crops(tmp_path, cache).batch(7, size=6)
    crops(tmp_path, cache).batch(6, size=6)
    again = crops(tmp_path, cache).batch(7, size=6)
    assert np.array_equal(first.tokens, again.tokens)
    assert first.captions == again.captions
    for other in (crops(tmp_path, cache, seed=1).batch(7, size=6), crops(tmp_path, cache).batch(7, 6, 1)):
        assert not np.array_equal(first.tokens, other.tokens)


def test_a_short_track_is_padded_and_a_long_one_is_cut(tmp_path: Path, cache: TokenCache) -> None:
    rows = [crops(tmp_path, cache).batch(step, 1).tokens[0] for step in range(40)]
    padded = [row for row in rows if (row == 999).any()]
    whole = [row for row in rows if not (row == 999).any()]
    assert padded
    assert whole
    assert all((row[:, :5] != 999).all() and (row[:, 5:] == 999).all() for row in padded)
    assert all((np.diff(row, axis=1) == 1).all() for row in whole)


def test_captions_are_dropped_as_often_as_asked(tmp_path: Path, cache: TokenCache) -> None:
    captions = [
        caption
        for step in range(200)
        for caption in crops(tmp_path, cache, dropout=0.3).batch(step, 4).captions
    ]
    assert captions.count(None) / len(captions) == pytest.approx(0.3, abs=0.06)


def test_caption_tags_and_title_take_turns_and_tags_are_shuffled_and_dropped() -> None:
    texts = Texts("A slow tune.", ("jazz", "calm", "piano"), "Night by Someone")
    mix = TextMix(condition_dropout=0.1, tags_share=0.5, title_share=0.2, field_dropout=0.3)
    chooser = np.random.default_rng(0)
    drawn = [draw(texts, mix, chooser) for _number in range(2000)]
    assert drawn.count(None) / 2000 == pytest.approx(0.1, abs=0.03)
    assert drawn.count("Night by Someone") / 2000 == pytest.approx(0.9 * 0.2, abs=0.03)
    assert drawn.count("A slow tune.") / 2000 == pytest.approx(0.9 * 0.3, abs=0.03)
    lists = {text for text in drawn if text and text not in ("Night by Someone", "A slow tune.")}
    assert {"jazz, calm, piano", "piano, calm, jazz", "jazz", "piano"} <= lists
    assert all(set(text.split(", ")) <= set(texts.tags) for text in lists)
    assert drawn == [
        draw(texts, mix, again) for again in [np.random.default_rng(0)] for _number in range(2000)
    ]


def test_held_out_crops_never_change(tmp_path: Path, cache: TokenCache) -> None:
    first, again = (crops(tmp_path, cache, seed=seed).held_out() for seed in (0, 1))
    assert len(first) == 7  # two of each track that is long enough
    assert np.array_equal(first.tokens, again.tokens)
    assert first.captions == ["jazz"] * 7


def test_genres_choose_tracks_and_captions_are_read_when_needed(music: Library) -> None:
    chosen = choose_examples(music, FinetuneSpec(genres=("jazz",)))
    assert {e.genre for e in chosen} == {"jazz"}
    assert len(chosen) == 3
    assert len(choose_examples(music, FinetuneSpec())) == 6
    one = chosen[0]
    assert one.caption is not None
    path = music.root / one.caption
    path.write_text("Something\nelse entirely.\n")
    assert read_texts(music.root, one.caption, one.genre).caption == "Something else entirely."
    path.unlink()
    assert read_texts(music.root, one.caption, one.genre).caption == "jazz"


def test_texts_come_from_the_fields_of_audiocraft(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A tune.\n")
    (tmp_path / "a.json").write_text(
        '{"title": "Night", "artist": "Someone", "genre": "jazz", "moods": ["calm", "dark"], '
        '"bpm": 92.4, "key": ""}'
    )
    assert read_texts(tmp_path, "a.txt", "rock") == Texts(
        "A tune.", ("jazz", "calm, dark", "92 bpm"), "Night by Someone"
    )
    (tmp_path / "a.json").write_text("[]")
    assert read_texts(tmp_path, "a.txt", "rock") == Texts("A tune.", ("rock",), "")


def test_tracks_are_chosen_by_folder_length_and_rating(music: Library) -> None:
    tracks = music.ledger.tracks(state="ready")
    for index, track in enumerate(tracks):
        music.ledger.update_track(track.id, duration=10.0 * (index + 1))
        assert track.caption is not None
        if index < 3:
            fields = (music.root / track.caption).with_suffix(".json")
            fields.write_text(json.dumps({"rating": index + 3}))

    def lengths(**values: Any) -> list[int]:
        chosen = choose_examples(music, FinetuneSpec(name="x", **values).check())
        return sorted(
            int(place) for place, track in enumerate(tracks) for one in chosen if one.content == track.content
        )

    assert lengths() == [0, 1, 2, 3, 4, 5]
    assert lengths(least_seconds=20.0, most_seconds=50.0) == [1, 2, 3, 4]
    assert lengths(least_rating=4.0) == [1, 2]
    jazz = [place for place, track in enumerate(tracks) if track.path.parts[0] == "jazz"]
    assert lengths(folder="jazz") == jazz
    assert lengths(folder="jaz") == []
