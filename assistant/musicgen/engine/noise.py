"""Chance that depends on nothing but its name: Philox 4x32-10 (Salmon et al., SC 2011)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)
_BITS = 22


def philox(counter: NDArray[np.uint64], key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Four random words of 32 bits `[…, 4]` for counters `[…, 4]` and keys `[…, 2]` of such words."""
    c = [counter[..., place] for place in range(4)]
    k = [key[..., place] for place in range(2)]
    for number in range(_ROUNDS):
        if number:
            k = [(part + np.uint64(step)) & _LOW for part, step in zip(k, _WEYL, strict=True)]
        first, second = (c[0] * _MULTIPLIERS[0], c[2] * _MULTIPLIERS[1])
        c = [
            (second >> _WORD) ^ c[1] ^ k[0],
            second & _LOW,
            (first >> _WORD) ^ c[3] ^ k[1],
            first & _LOW,
        ]
    return np.stack(c, axis=-1)


def uniforms(
    clips: Sequence[tuple[int, int]], first_step: int, steps: int, codebooks: int
) -> NDArray[np.float32]:
    """Numbers between 0 and 1 `[steps, clips, codebooks]`, one for each token that is drawn.

    A clip is a seed and a number under that seed. The number of a token follows from seed, clip, step
    and codebook alone, so it is the same in any batch, in any piece of the work and on any device. Each
    has 22 bits and is below 1 by enough that its product with a float32 sum is below that sum.
    """
    blocks = -(-codebooks // 4)
    counter = np.zeros((steps, len(clips), blocks, 4), np.uint64)
    counter[..., 0] = np.arange(first_step, first_step + steps, dtype=np.uint64)[:, None, None]
    counter[..., 1] = np.array([number for _seed, number in clips], np.uint64)[None, :, None]
    counter[..., 2] = np.arange(blocks, dtype=np.uint64)
    seeds = np.array([seed for seed, _number in clips], np.uint64)
    key = np.stack([seeds & _LOW, seeds >> _WORD], axis=-1)[None, :, None]
    words = philox(counter, key).reshape(steps, len(clips), blocks * 4)[..., :codebooks]
    places = (words >> np.uint64(32 - _BITS)).astype(np.float32)
    return (places + np.float32(0.5)) * np.float32(2.0**-_BITS)
