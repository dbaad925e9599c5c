"""What music sounds like in few bytes, so that the same recording in another format is found.

After Haitsma and Kalker (2002), "A highly robust audio fingerprinting system": 32 bits for each step of
93 ms, each the sign of the change in time of the difference between neighbouring bands of 300 to 2,000 Hz.
Offset, level and encoding change few of them. Landmarks are hashes that the content itself selects, so
that two copies have some in common and an index finds them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from assistant.audio.spectrum import FRAME_RATE, frequencies

STEP = 4  # frames of the spectrogram
SECONDS_PER_WORD = STEP / FRAME_RATE
LEAST_WORDS = 100
"""Words that two fingerprints must share in time to be compared: some 9 s."""
SAME = 0.25
"""Largest share of differing bits in two copies of one recording; unrelated music has 0.4 to 0.5.

Seen in tests/bench/duplicates.py."""
_SMOOTH = 32  # frames
_LAG = 4  # words between which a change is looked at
_FLOOR = 1e-5  # of the mean energy: changes below it are rounding
_LOW, _HIGH, _BITS = 300.0, 2000.0, 32
_HASH_MASK = np.uint32(0x00FFFFFF)  # 24 of 32 bits: the lower bands, which encoders keep best
_SELECT = 16  # one in so many words is a landmark
_MIX = np.uint32(2654435761)  # Knuth's multiplicative hash
_LEAST_DIFFERENT = 0.25  # of the words; a held tone or silence has nothing to know it by

Array = np.ndarray[Any, Any]


def fingerprint(spectra: Array) -> bytes:
    """The fingerprint of a spectrogram, four bytes a word; empty for what is too short or too plain."""
    energy = np.square(spectra @ _bands())
    total = np.cumsum(np.vstack([np.zeros((1, energy.shape[1])), energy]), axis=0)
    smooth = total[_SMOOTH:] - total[:-_SMOOTH]
    steps = smooth[::STEP]
    slope = steps[:, :-1] - steps[:, 1:]
    rise = slope[_LAG:] - slope[:-_LAG] > _FLOOR * steps.mean()
    words = np.packbits(rise, axis=1, bitorder="little").view("<u4")[:, 0]
    sounding = words[words != 0]
    if len(sounding) < LEAST_WORDS or len(np.unique(sounding)) < _LEAST_DIFFERENT * len(sounding):
        return b""
    return words.tobytes()


def landmarks(data: bytes) -> tuple[Array, Array]:
    """The hashes of a fingerprint that an index is made of, with their places in it."""
    words = _words(data)
    hashes = words & _HASH_MASK
    selected = (hashes * _MIX) >> np.uint32(16) & np.uint32(_SELECT - 1) == 0
    chosen = np.flatnonzero(selected & (words != 0))
    hashes, first = np.unique(hashes[chosen], return_index=True)
    return hashes, chosen[first]


def difference(one: bytes, other: bytes) -> float:
    """The share of differing bits at the best of the alignments that common landmarks suggest.

    1.0 where they have none in common, or share too little of their time.
    """
    first, second = _words(one), _words(other)
    hashes_1, places_1 = landmarks(one)
    hashes_2, places_2 = landmarks(other)
    _common, left, right = np.intersect1d(hashes_1, hashes_2, assume_unique=True, return_indices=True)
    best = 1.0
    for shift in np.unique(places_1[left] - places_2[right]):
        for near in (shift - 1, shift, shift + 1):
            best = min(best, _difference_at(first, second, int(near)))
    return best


def _difference_at(first: Array, second: Array, shift: int) -> float:
    first, second = first[max(0, shift) :], second[max(0, -shift) :]
    length = min(len(first), len(second))
    first, second = first[:length], second[:length]
    sounding = (first != 0) & (second != 0)  # zero is silence
    count = int(sounding.sum())
    if count < LEAST_WORDS:
        return 1.0
    return float(np.bitwise_count((first ^ second)[sounding]).sum()) / (_BITS * count)


def _words(data: bytes) -> Array:
    return np.frombuffer(data, "<u4")


@lru_cache(maxsize=1)
def _bands() -> Array:
    edges = np.geomspace(_LOW, _HIGH, _BITS + 2)
    bins = frequencies()
    bands = np.zeros((len(bins), _BITS + 1), np.float32)
    for band in range(_BITS + 1):
        chosen = (bins >= edges[band]) & (bins < edges[band + 1])
        bands[chosen, band] = 1
    return bands
