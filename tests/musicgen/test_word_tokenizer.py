from __future__ import annotations

import torch

from assistant.musicgen.words import WordTokenizer, words_of


def test_words() -> None:
    assert words_of("A slow, Jazz-like tune; 120 BPM!") == ["a", "slow", "jazz", "like", "tune", "120", "bpm"]
    assert words_of("爵士 jazz") == ["爵", "士", "jazz"]


def test_numbers_do_not_depend_on_the_other_texts() -> None:
    tokenizer = WordTokenizer(bins=100, length=6)
    numbers, mask = tokenizer(["a slow tune", None, "one two three four five six seven eight"])
    alone, alone_mask = tokenizer(["A slow tune!"])
    assert numbers.shape == mask.shape == (3, 6)
    assert torch.equal(numbers[:1], alone)
    assert torch.equal(mask[:1], alone_mask)
    assert mask.sum(dim=1).tolist() == [3, 0, 6]
    assert int(numbers.min()) == 0
    assert int(numbers[mask.bool()].min()) > 0
    assert int(numbers.max()) < 100
