"""Slaney's mel scale: linear up to 1 kHz, logarithmic above (Auditory Toolbox, 1998)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]


_GROUP = 16  # bands that share one product: each needs few of the bins


def to_mel(power: Array, rate: int, window: int, bands: int) -> Array:
    """Power spectra [frames, window / 2 + 1] summed into mel bands [frames, bands]."""
    mel = np.empty((len(power), bands), np.float32)
    for bins, group, filters in _groups(rate, window, bands):
        np.matmul(power[:, bins], filters, out=mel[:, group])
    return mel


@lru_cache(maxsize=4)
def _groups(rate: int, window: int, bands: int) -> list[tuple[slice, slice, Array]]:
    filters, found = mel_filters(rate, window, bands), []
    for start in range(0, bands, _GROUP):
        group = slice(start, min(start + _GROUP, bands))
        used = np.flatnonzero(filters[:, group].any(axis=1))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        found.append((bins, group, np.ascontiguousarray(filters[bins, group])))
    return found


def mel_filters(rate: int, window: int, bands: int) -> Array:
    """Triangles of equal area from 0 Hz to half the rate, shape [window / 2 + 1, bands]."""
    linear, step = 200 / 3, np.log(6.4) / 27
    knee = 1000 / linear
    mels = np.linspace(0, knee + np.log(rate / 2 / 1000) / step, bands + 2)
    edges = np.where(mels < knee, mels * linear, 1000 * np.exp(step * (mels - knee)))
    bins = np.fft.rfftfreq(window, 1 / rate)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles: Array = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    triangles *= 2 / (edges[2:] - edges[:-2])  # rounded twice, as in librosa
    return triangles
