"""Top-k sampling on a CPU: the law of `sampler.choose` in one compiled pass over the logits."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from assistant.musicgen.engine.exponential import exp

_BLOCK = 64
_FREE_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in the order that suits the vector unit; it is the same each time."""


def draw(
    logits: NDArray[np.float32], uniform: NDArray[np.float32], temperature: float, top_k: int
) -> NDArray[np.int64]:
    """Tokens `[rows]` for logits `[rows, card]` and numbers between 0 and 1 `[rows]`; all tokens may be
    drawn where `top_k` is 0."""
    found = np.empty(len(logits), np.int64)
    _draw(logits, uniform, np.float32(1 / temperature), top_k, found)
    return found


@numba.njit(nogil=True, cache=True)
def _draw(logits: Any, uniform: Any, coldness: Any, top_k: Any, found: Any) -> None:
    card = logits.shape[1]
    weights = np.empty(card, np.float32)
    sums = np.empty(-(-card // _BLOCK))
    for row in range(len(logits)):
        own = logits[row]
        least, highest = _span(own)
        if 0 < top_k < card:
            least = _least_of_likeliest(own, least, highest, np.float32(top_k))
        _weigh(own, least, highest, coldness, weights)
        for block in range(len(sums)):
            sums[block] = _sum(weights[block * _BLOCK : (block + 1) * _BLOCK])
        found[row] = _token_at(weights, sums, uniform[row])


@numba.njit(fastmath=_FREE_SUMS)
def _span(numbers: Any) -> Any:
    least, highest = np.float32(np.inf), np.float32(-np.inf)
    for at in range(len(numbers)):
        least, highest = min(least, numbers[at]), max(highest, numbers[at])
    return least, highest


@numba.njit(fastmath=_FREE_SUMS)
def _count(numbers: Any, least: Any) -> Any:
    """How many numbers are at least so large; a float32, which the vector unit counts in."""
    count = np.float32(0)
    for at in range(len(numbers)):
        count += np.float32(1) if numbers[at] >= least else np.float32(0)
    return count


@numba.njit
def _least_of_likeliest(logits: Any, least: Any, highest: Any, top_k: Any) -> Any:
    """A bound that the `top_k` largest logits reach, and others only if they equal the last of those."""
    if _count(logits, highest) >= top_k:
        return highest
    while True:  # at least top_k reach `least`, fewer reach `highest`
        middle = least + (highest - least) * np.float32(0.5)
        if not least < middle < highest:
            return least
        count = _count(logits, middle)
        if count == top_k:
            return middle
        if count > top_k:
            least = middle
        else:
            highest = middle


@numba.njit
def _weigh(logits: Any, least: Any, highest: Any, coldness: Any, weights: Any) -> None:
    """What is proportional to the probabilities, of the logits that reach `least`."""
    for at in range(len(logits)):
        weight = exp((logits[at] - highest) * coldness)
        weights[at] = weight if logits[at] >= least else np.float32(0)


@numba.njit(fastmath=_FREE_SUMS)
def _sum(weights: Any) -> Any:
    total = 0.0
    for at in range(len(weights)):
        total += weights[at]
    return total


@numba.njit
def _token_at(weights: Any, sums: Any, uniform: Any) -> Any:
    """The token at which the cumulative weight, in the order of the codebook, passes `uniform` of all."""
    goal = sums.sum() * uniform
    block, before = 0, 0.0
    while block < len(sums) - 1 and before + sums[block] <= goal:
        before += sums[block]
        block += 1
    token = 0
    for at in range(block * _BLOCK, min(len(weights), (block + 1) * _BLOCK)):
        if weights[at] > 0:
            token = at
            before += weights[at]
            if before > goal:
                break
    return token
