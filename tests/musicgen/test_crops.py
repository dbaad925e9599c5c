from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant.library.library import Library
from assistant.musicgen.dataset import Crops, Example, choose_examples, read_caption, split
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
        condition_dropout=dropout,
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
    first = crops(tmp_path, cache).batches(7, count=2, size=3)
    crops(tmp_path, cache).batches(6, count=2, size=3)
    again = crops(tmp_path, cache).batches(7, count=2, size=3)
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.tokens, b.tokens)
        assert a.captions == b.captions
    other = crops(tmp_path, cache, seed=1).batches(7, count=2, size=3)
    assert any(not np.array_equal(a.tokens, b.tokens) for a, b in zip(first, other, strict=True))


def test_a_short_track_is_padded_and_a_long_one_is_cut(tmp_path: Path, cache: TokenCache) -> None:
    rows = [batch.tokens[0] for step in range(40) for batch in crops(tmp_path, cache).batches(step, 1, 1)]
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
        for batch in crops(tmp_path, cache, dropout=0.3).batches(step, 1, 4)
        for caption in batch.captions
    ]
    assert captions.count(None) / len(captions) == pytest.approx(0.3, abs=0.06)


def test_held_out_crops_never_change(tmp_path: Path, cache: TokenCache) -> None:
    first, again = (crops(tmp_path, cache, seed=seed).held_out(3) for seed in (0, 1))
    assert sum(len(batch.captions) for batch in first) == 7  # two of each track that is long enough
    assert all(np.array_equal(a.tokens, b.tokens) for a, b in zip(first, again, strict=True))
    assert all(caption == "jazz" for batch in first for caption in batch.captions)


def test_genres_choose_tracks_and_captions_are_read_when_needed(music: Library) -> None:
    chosen = choose_examples(music, ("jazz",))
    assert {e.genre for e in chosen} == {"jazz"}
    assert len(chosen) == 3
    assert len(choose_examples(music, ())) == 6
    assert chosen[0].caption is not None
    (music.root / chosen[0].caption).write_text("Something\nelse entirely.\n")
    assert read_caption(music.root, chosen[0]) == "Something else entirely."
    (music.root / chosen[0].caption).unlink()
    assert read_caption(music.root, chosen[0]) == "jazz"
