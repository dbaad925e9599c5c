"""Attention of one new token a row to all before it, for one CPU thread.

A step of a small model reads its keys and values more than anything else once several clips or many seconds
are under way. torch's attention reaches half of the memory's speed on a single query, and far less in half
precision; this one is as fast as the memory, and keys and values in halves are half of what it must read.
A row's result is the same bits whatever the other rows are.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from torch import Tensor

_LOG2_E = np.float32(1.442695040888963)
# ln 2 in two parts, the first of which times a whole number is exact.
_LN_2_HIGH, _LN_2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LEAST = np.float32(-87.0)  # e to this is nearly the smallest normal number
_FREE_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in the order that suits the vector unit; it is the same each time."""


@intrinsic
def _widened(_context: Any, number: Any) -> Any:
    """A float32 of itself, or of the bits of a half in a uint16."""

    def build(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        if number == types.float32:
            return values[0]
        return builder.fpext(builder.bitcast(values[0], ir.HalfType()), ir.FloatType())

    return types.float32(number), build


@intrinsic
def _narrowed(_context: Any, number: Any, like: Any) -> Any:
    """A float32 as numbers of the kind of `like` are kept."""

    def build(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        if like == types.float32:
            return values[0]
        return builder.bitcast(builder.fptrunc(values[0], ir.HalfType()), ir.IntType(16))

    return like(number, like), build


@intrinsic
def _power_of_two(_context: Any, exponent: Any) -> Any:
    """Two to the power of an int32 between -126 and 127."""

    def build(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = ir.IntType(32)
        bits = builder.shl(builder.add(values[0], ir.Constant(kind, 127)), ir.Constant(kind, 23))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(exponent), build


@numba.njit(inline="always")
def _exp(x: Any) -> Any:
    """e to a float32 of at most 0, to 2 units in the last place; the polynomial is Cephes' (`expf`), and
    unlike a library's function it goes through the vector unit."""
    x = max(x, _LEAST)
    whole = np.int32(x * _LOG2_E - np.float32(0.5))
    parts = np.float32(whole)
    x = x - parts * _LN_2_HIGH
    x = x - parts * _LN_2_LOW
    y = np.float32(1.9875691500e-4)
    y = y * x + np.float32(1.3981999507e-3)
    y = y * x + np.float32(8.3334519073e-3)
    y = y * x + np.float32(4.1665795894e-2)
    y = y * x + np.float32(1.6666665459e-1)
    y = y * x + np.float32(5.0000001201e-1)
    return (y * x * x + x + np.float32(1.0)) * _power_of_two(whole)


@numba.njit
def _to_powers(weights: Any, highest: Any, scale: Any) -> None:
    """e to each, less the highest, times the scale; not among free sums, which would undo `_exp`'s care."""
    for place in range(len(weights)):
        weights[place] = _exp((weights[place] - highest) * scale)


@numba.njit(fastmath=_FREE_SUMS)
def _find_weights(query: Any, key: Any, scale: Any, weights: Any) -> None:
    """The softmax of the products of a query `[size]` and keys `[places, size]`."""
    places, size = len(weights), len(query)
    fours = places // 4 * 4
    for place in range(0, fours, 4):
        first = second = third = fourth = np.float32(0)
        for at in range(size):
            first += query[at] * _widened(key[place, at])
            second += query[at] * _widened(key[place + 1, at])
            third += query[at] * _widened(key[place + 2, at])
            fourth += query[at] * _widened(key[place + 3, at])
        weights[place], weights[place + 1] = first, second
        weights[place + 2], weights[place + 3] = third, fourth
    for place in range(fours, places):
        product = np.float32(0)
        for at in range(size):
            product += query[at] * _widened(key[place, at])
        weights[place] = product
    highest = np.float32(-np.inf)
    for place in range(places):
        highest = max(highest, weights[place])
    _to_powers(weights, highest, scale)
    total = np.float32(0)
    for place in range(places):
        total += weights[place]
    for place in range(places):
        weights[place] /= total


@numba.njit(fastmath=_FREE_SUMS)
def _mix(weights: Any, value: Any, found: Any) -> None:
    """The sum `[size]` of values `[places, size]` by their weights."""
    places, size = len(weights), len(found)
    fours = places // 4 * 4
    for at in range(size):
        found[at] = 0
    for place in range(0, fours, 4):
        first, second, third, fourth = weights[place : place + 4]
        for at in range(size):
            found[at] += (
                first * _widened(value[place, at])
                + second * _widened(value[place + 1, at])
                + third * _widened(value[place + 2, at])
                + fourth * _widened(value[place + 3, at])
            )
    for place in range(fours, places):
        for at in range(size):
            found[at] += weights[place] * _widened(value[place, at])


@numba.njit(nogil=True, cache=True)
def _attended(packed: Any, keys: Any, values: Any, places: int, heard: Any) -> None:
    """Write what `attend` gives into `heard`."""
    rows, heads, _length, size = keys.shape
    dim = heads * size
    scale = np.float32(1.0 / math.sqrt(size))
    weights = np.empty(places, np.float32)
    for row in range(rows):
        for head in range(heads):
            own = slice(head * size, (head + 1) * size)
            key, value, found = keys[row, head], values[row, head], heard[row, own]
            new_key, new_value = packed[row, dim:][own], packed[row, 2 * dim :][own]
            for at in range(size):
                key[places - 1, at] = _narrowed(new_key[at], key[0, 0])
                value[places - 1, at] = _narrowed(new_value[at], key[0, 0])
            _find_weights(packed[row, own], key, scale, weights)
            _mix(weights, value, found)


def _attend(packed: Tensor, keys: Tensor, values: Tensor, places: int) -> Tensor:
    heard = torch.empty((packed.shape[0], packed.shape[1] // 3))
    _attended(packed.numpy(), _array(keys), _array(values), places, heard.numpy())
    return heard


def _array(kept: Tensor) -> Any:
    array = kept.numpy()
    return array.view(np.uint16) if kept.dtype == torch.float16 else array


# As an operator it can be called from what TorchScript has compiled.
_operators = torch.library.Library("musichelper", "DEF")
_operators.define("attend(Tensor packed, Tensor(a!) keys, Tensor(b!) values, int places) -> Tensor")
_operators.impl("attend", _attend, "CPU")


def attend(packed: Tensor, keys: Tensor, values: Tensor, places: int) -> Tensor:
    """What each row hears `[rows, dim]`, float32.

    `packed` `[rows, 3 · dim]` float32 is its query, key and value; the last two are written to the caches
    `[rows, heads, length, size]`, float32 or float16, at place `places - 1`, and `places` places are heard.
    """
    heard: Tensor = torch.ops.musichelper.attend(packed, keys, values, places)
    return heard
