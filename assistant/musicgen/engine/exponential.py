"""e to a power in the vector unit, within compiled functions."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_LOG2_E = np.float32(1.442695040888963)
# ln 2 in two parts, the first of which times a whole number is exact.
_LN_2_HIGH, _LN_2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LEAST = np.float32(-87.0)  # e to this is nearly the smallest normal number


@intrinsic
def _power_of_two(_context: Any, exponent: Any) -> Any:
    """Two to the power of an int32 between -126 and 127."""

    def build(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = ir.IntType(32)
        bits = builder.shl(builder.add(values[0], ir.Constant(kind, 127)), ir.Constant(kind, 23))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(exponent), build


@numba.njit(inline="always")
def exp(x: Any) -> Any:
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
