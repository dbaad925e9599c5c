"""A confusion matrix as a PNG file, without a library for pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.files import write_bytes

CELL = 40
_MARGIN, _SCALE = 10, 3
_PAPER, _INK, _FULL = (250, 250, 252), (40, 44, 52), (31, 78, 145)
_FONT = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757",
    "7": "71122", "8": "75757", "9": "75717", "a": "25755", "b": "65656", "c": "34443", "d": "65556",
    "e": "74647", "f": "74644", "g": "34553", "h": "55755", "i": "72227", "j": "11152", "k": "55655",
    "l": "44447", "m": "57755", "n": "65555", "o": "25552", "p": "65644", "q": "25563", "r": "65655",
    "s": "34216", "t": "72222", "u": "55557", "v": "55552", "w": "55775", "x": "55255", "y": "55222",
    "z": "71247", "-": "00700", "_": "00007", ".": "00002", "&": "25253", " ": "00000",
}  # fmt: skip
"""Letters of three by five points: an octal digit for each row. Others are drawn as a box."""
_BOX = "75557"

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def write_confusion(path: Path, genres: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    """Draw counts with a row for each true genre and a column for each named one; darker is more of a row."""
    words = [_word(genre) for genre in genres]
    edge = max(word.shape[1] for word in words) + 2 * _MARGIN
    size = edge + len(genres) * CELL + _MARGIN
    picture = np.full((size, size, 3), _PAPER, np.uint8)
    for row, counts in enumerate(matrix):
        top = edge + row * CELL
        _put(picture, words[row], top + CELL // 2, edge - _MARGIN - words[row].shape[1] // 2, _INK)
        column_word = np.rot90(words[row])
        _put(picture, column_word, edge - _MARGIN - len(column_word) // 2, top + CELL // 2, _INK)
        for column, count in enumerate(counts):
            left, share = edge + column * CELL, count / max(1, sum(counts))
            colour = [round(p + (f - p) * share) for p, f in zip(_PAPER, _FULL, strict=True)]
            picture[top : top + CELL - 1, left : left + CELL - 1] = colour
            if count:
                ink = _PAPER if share > 0.5 else _INK
                _put(picture, _word(str(count)), top + CELL // 2, left + CELL // 2, ink)
    write_bytes(path, _png(picture))


def _word(text: str) -> Pixels:
    """Which points a word covers, one where there is ink."""
    letters = []
    for letter in text.lower():
        rows = [int(digit) for digit in _FONT.get(letter, _BOX)]
        letters.append(np.array([[row >> 2 & 1, row >> 1 & 1, row & 1, 0] for row in rows], np.uint8))
    return np.kron(np.concatenate(letters, axis=1)[:, :-1], np.ones((_SCALE, _SCALE), np.uint8))


def _put(picture: Pixels, word: Pixels, middle: int, centre: int, ink: tuple[int, int, int]) -> None:
    top, left = middle - word.shape[0] // 2, max(0, centre - word.shape[1] // 2)
    part = picture[top : top + word.shape[0], left : left + word.shape[1]]
    word = word[: part.shape[0], : part.shape[1]]
    part[word == 1] = ink


def _png(picture: Pixels) -> bytes:
    """PNG of eight bits a colour (ISO/IEC 15948), rows without a filter."""
    height, width, _colours = picture.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
