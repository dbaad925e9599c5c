"""The layers of the language model for one CPU thread: the whole stack in one compiled function.

A step of a small model is a hundred products of some ten microseconds. Called one by one from outside they
cost as much again; here nothing lies between them, and weights and caches are read in the order in which
they lie in memory. A row's result is the same bits whatever the other rows are, and whether its tokens
come one by one or many at once.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from assistant.musicgen.engine.exponential import exp
from assistant.musicgen.engine.panels import WIDTH, multiply, multiply_row

_EPSILON = np.float32(1e-5)  # of audiocraft's layer norms
_FREE_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in the order that suits the vector unit; it is the same each time."""
_HALF, _ONE = np.float32(0.5), np.float32(1)
_ROOT_HALF = np.float32(math.sqrt(0.5))


class Products(NamedTuple):
    """Matrices of the same shape, one a layer."""

    panels: NDArray[Any]
    """`[layers, panels, in, 32]`: float32, the bits of halves in uint16, or int8."""
    scales: NDArray[np.float32]
    """`[layers, out]`."""
    biases: NDArray[np.float32]
    """`[layers, out]`."""


class Layers(NamedTuple):
    """All that a step reads but its caches."""

    norms: NDArray[np.float32]
    """`[layers, 3, 2, dim]`: weight and bias of the norms before the tokens, the words and the inner part."""
    qkv: Products
    out: Products
    query: Products
    """Of the attention to words; without layers where there is none."""
    cross: Products
    up: Products
    down: Products
    last_norm: NDArray[np.float32]
    """`[2, dim]`."""
    heads: Products
    gelu: bool


class Words(NamedTuple):
    """What the first rows of a batch hear, and what the others do."""

    keys: NDArray[Any]
    """`[layers, crossed, heads, panels of 32 words, size, 32]`: float32 or the bits of halves."""
    values: NDArray[Any]
    """`[layers, crossed, heads, panels of the size, words, 32]`."""
    lengths: NDArray[np.int64]
    """`[crossed]`."""
    silence: NDArray[np.float32]
    """What hearing nothing adds, `[layers, dim]`; without layers where it adds nothing."""


@intrinsic
def _narrowed(_context: Any, number: Any, like: Any) -> Any:
    """A float32 as numbers of the kind of `like` are kept: itself, or the bits of a half."""

    def build(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        if like == types.float32:
            return values[0]
        return builder.bitcast(builder.fptrunc(values[0], ir.HalfType()), ir.IntType(16))

    return like(number, like), build


@numba.njit(fastmath=_FREE_SUMS)
def _norm(x: Any, factors: Any, out: Any) -> None:
    """Layer normalisation of each row `[dim]`, with weight and bias `[2, dim]`."""
    dim = x.shape[1]
    for row in range(len(x)):
        total = np.float32(0)
        for at in range(dim):
            total += x[row, at]
        mean = total / np.float32(dim)
        total = np.float32(0)
        for at in range(dim):
            total += (x[row, at] - mean) * (x[row, at] - mean)
        factor = _ONE / np.sqrt(total / np.float32(dim) + _EPSILON)
        for at in range(dim):
            out[row, at] = (x[row, at] - mean) * factor * factors[0, at] + factors[1, at]


@numba.njit
def _finish(products: Any, scales: Any, biases: Any) -> None:
    for row in range(len(products)):
        for at in range(len(scales)):
            products[row, at] = products[row, at] * scales[at] + biases[at]


@numba.njit
def _add(products: Any, scales: Any, biases: Any, x: Any) -> None:
    for row in range(len(x)):
        for at in range(len(scales)):
            x[row, at] += products[row, at] * scales[at] + biases[at]


@numba.njit(error_model="numpy")
def _gelu(x: Any) -> None:
    """x · Φ(x) in place. The error function is 7.1.26 of Abramowitz and Stegun's Handbook, whose error of
    1.5e-7 is that of a float32."""
    for row in range(len(x)):
        for at in range(x.shape[1]):
            z = x[row, at]
            away = abs(z)
            far = away * _ROOT_HALF
            t = _ONE / (_ONE + np.float32(0.3275911) * far)
            y = np.float32(1.061405429) * t + np.float32(-1.453152027)
            y = y * t + np.float32(1.421413741)
            y = y * t + np.float32(-0.284496736)
            y = y * t + np.float32(0.254829592)
            x[row, at] = max(z, np.float32(0)) - away * (_HALF * y * t * exp(-far * far))


@numba.njit
def _relu(x: Any) -> None:
    for row in range(len(x)):
        for at in range(x.shape[1]):
            x[row, at] = max(x[row, at], np.float32(0))


@numba.njit(fastmath=_FREE_SUMS)
def _highest(numbers: Any) -> Any:
    highest = np.float32(-np.inf)
    for at in range(len(numbers)):
        highest = max(highest, numbers[at])
    return highest


@numba.njit(fastmath=_FREE_SUMS)
def _sum(numbers: Any) -> Any:
    total = np.float32(0)
    for at in range(len(numbers)):
        total += numbers[at]
    return total


@numba.njit
def _to_powers(weights: Any, highest: Any, scale: Any) -> None:
    """Not among free sums, which would undo the care of `exp`."""
    for place in range(len(weights)):
        weights[place] = exp((weights[place] - highest) * scale)


@numba.njit
def _attend(
    packed: Any,
    token: Any,
    head: Any,
    keys: Any,
    values: Any,
    places: Any,
    weights: Any,
    found: Any,
    heard: Any,
) -> None:
    """What the query of a head in `packed[token]` hears of `places` places, to `heard[token]`.

    `keys` `[panels of places, size, 32]`, `values` `[panels of the size, places, 32]`.
    """
    size = keys.shape[1]
    multiply_row(packed, token, head * size, keys, (places + WIDTH - 1) // WIDTH, size, weights)
    scores = weights[0, :places]
    _to_powers(scores, _highest(scores), np.float32(1 / math.sqrt(size)))
    share = _ONE / _sum(scores)
    multiply_row(weights, 0, 0, values, len(values), places, found)
    for at in range(size):
        heard[token, head * size + at] = found[0, at] * share


@numba.njit
def _remember(packed: Any, token: Any, keys: Any, values: Any, place: Any) -> None:
    """Write the key and the value of a token to the caches of its row, at a place."""
    heads, size, like = len(keys), keys.shape[2], keys[0, 0, 0, 0]
    for head in range(heads):
        own = head * size
        for at in range(size):
            key, value = (
                packed[token, (heads * size) + own + at],
                packed[token, (2 * heads * size) + own + at],
            )
            keys[head, place // WIDTH, at, place % WIDTH] = _narrowed(key, like)
            values[head, at // WIDTH, place, at % WIDTH] = _narrowed(value, like)


@numba.njit(nogil=True, cache=True)
def hear(
    x: Any, count: Any, first: Any, layers: Any, keys: Any, values: Any, words: Any, logits: Any
) -> None:
    """Take `count` tokens of each row through the layers, from place `first` of the caches on.

    `x` `[rows · count, dim]` holds their embeddings with positions and is written to. The caches are float32
    or the bits of halves: `keys` `[layers, rows, heads, panels of 32 places, size, 32]` and `values`
    `[layers, rows, heads, panels of the size, places, 32]`. `logits` `[rows · count, panels · 32]`, or
    without rows where nobody asks for them.
    """
    tokens, dim = x.shape
    rows, heads = keys.shape[1:3]
    crossed = words.keys.shape[1] * count
    normed = np.empty((tokens, dim), np.float32)
    packed = np.empty((tokens, layers.qkv.panels.shape[1] * WIDTH), np.float32)
    heard = np.empty((tokens, dim), np.float32)
    again = np.empty((tokens, layers.out.panels.shape[1] * WIDTH), np.float32)
    wide = np.empty((tokens, layers.up.panels.shape[1] * WIDTH), np.float32)
    found = np.empty((1, values.shape[3] * WIDTH), np.float32)
    longest = max(keys.shape[3], words.keys.shape[3])
    weights = np.empty((1, longest * WIDTH), np.float32)
    for layer in range(len(keys)):
        norms = layers.norms[layer]
        _norm(x, norms[0], normed)
        multiply(normed, layers.qkv.panels[layer], packed)
        _finish(packed, layers.qkv.scales[layer], layers.qkv.biases[layer])
        for row in range(rows):
            own_keys, own_values = keys[layer, row], values[layer, row]
            for number in range(count):
                _remember(packed, row * count + number, own_keys, own_values, first + number)
            for head in range(heads):
                for number in range(count):
                    token, places = row * count + number, first + number + 1
                    _attend(
                        packed, token, head, own_keys[head], own_values[head], places, weights, found, heard
                    )
        multiply(heard, layers.out.panels[layer], again)
        _add(again, layers.out.scales[layer], layers.out.biases[layer], x)
        if crossed:
            _norm(x[:crossed], norms[1], normed)
            multiply(normed[:crossed], layers.query.panels[layer], again)
            _finish(again[:crossed], layers.query.scales[layer], layers.query.biases[layer])
            for token in range(crossed):
                row = token // count
                for head in range(heads):
                    its_keys, its_values = words.keys[layer, row, head], words.values[layer, row, head]
                    places = words.lengths[row]
                    _attend(again, token, head, its_keys, its_values, places, weights, found, heard)
            multiply(heard[:crossed], layers.cross.panels[layer], again)
            _add(again, layers.cross.scales[layer], layers.cross.biases[layer], x[:crossed])
        if len(words.silence):
            for token in range(crossed, tokens):
                for at in range(dim):
                    x[token, at] += words.silence[layer, at]
        _norm(x, norms[2], normed)
        multiply(normed, layers.up.panels[layer], wide)
        _finish(wide, layers.up.scales[layer], layers.up.biases[layer])
        if layers.gelu:
            _gelu(wide)
        else:
            _relu(wide)
        multiply(wide, layers.down.panels[layer], again)
        _add(again, layers.down.scales[layer], layers.down.biases[layer], x)
    if len(logits):
        _norm(x, layers.last_norm, normed)
        multiply(normed, layers.heads.panels[0], logits)
        _finish(logits, layers.heads.scales[0], layers.heads.biases[0])
