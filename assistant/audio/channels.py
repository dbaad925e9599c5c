"""Channels in memory: side by side or one after the other, and surround mixed down to stereo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Samples = np.ndarray[Any, np.dtype[np.float32]]
Array = np.ndarray[Any, Any]

_HALF_POWER = 0.7071
# Where a file does not say which channel is which: the order that WAV has for that number.
_BY_NUMBER = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
_SHARES = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
    "BC": (0.5, 0.5),
    "TC": (0.5, 0.5),
    "TFC": (0.5, 0.5),
    "TBC": (0.5, 0.5),
}


def interleaved(block: Array) -> Array:
    """The same [frames, channels] with the samples of a frame side by side, as files have them."""
    return block if block.flags.c_contiguous else _column_by_column(block)


def planes(block: Array) -> Array:
    """[frames, channels] as [channels, frames], each channel in one piece."""
    return block.T if block.flags.f_contiguous else _column_by_column(block, order="F").T


def _column_by_column(block: Array, order: Literal["C", "F"] = "C") -> Array:
    # numpy copies across the short axis ten times slower.
    copy = np.empty(block.shape, block.dtype, order)
    for channel in range(block.shape[1]):
        copy[:, channel] = block[:, channel]
    return copy


def mixing(names: Sequence[str]) -> Samples:
    """The matrix [channels, 2] from channels, named as FFmpeg does, to left and right.

    The coefficients of ITU-R BS.775, the low-frequency channel left out, scaled so that nothing can clip
    that did not before. Names that say nothing are taken in the order of WAV.
    """
    count = len(names)
    if not any(name in _SHARES for name in names) or len(set(names)) < count:
        names = _BY_NUMBER.get(count, tuple("?" * count))
    shares = np.array([_share(name) for name in names], np.float32)
    matrix: Samples = shares / max(float(shares.sum(axis=0).max()), 1e-6)
    return matrix


def _share(name: str) -> tuple[float, float]:
    if name in _SHARES:
        return _SHARES[name]
    if name.endswith("L") or name == "FLC":
        return (_HALF_POWER, 0.0)
    if name.endswith("R") or name == "FRC":
        return (0.0, _HALF_POWER)
    return (0.5, 0.5)
