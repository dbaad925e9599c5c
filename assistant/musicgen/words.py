"""Captions as hashed words: a tokenizer that needs no vocabulary and no download."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PADDING = 0
# A run of letters and digits, or one character of a script that has no spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of a caption, in order, without case and punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


class WordTokenizer:
    """Takes the place of the tokenizer in audiocraft's `LUTConditioner`.

    Every text becomes exactly `length` numbers below `bins`; what is missing is padding, which the
    mask leaves out, so a text's numbers never depend on the other texts.
    """

    def __init__(self, bins: int, length: int) -> None:
        self.bins = bins
        self.length = length

    def __call__(self, texts: Sequence[str | None]) -> tuple[Tensor, Tensor]:
        """Numbers and mask, both `[texts, length]`; None and a text without words are all padding."""
        import torch

        numbers = torch.full((len(texts), self.length), PADDING, dtype=torch.long)
        mask = torch.zeros((len(texts), self.length), dtype=torch.int)
        for row, text in enumerate(texts):
            found = [self._number(word) for word in words_of(text or "")[: self.length]]
            numbers[row, : len(found)] = torch.tensor(found, dtype=torch.long)
            mask[row, : len(found)] = 1
        return numbers, mask

    def _number(self, word: str) -> int:
        digest = hashlib.sha256(word.encode()).digest()
        return 1 + int.from_bytes(digest[:8], "big") % (self.bins - 1)
