"""Integrated loudness after ITU-R BS.1770-4, from a stream of blocks of any length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0


class LoudnessMeter:
    """Add blocks [frames, channels] of one or two channels; ask for the loudness at the end."""

    def __init__(self, rate: int, channels: int) -> None:
        from scipy.signal import sosfilt

        self._filter = sosfilt
        self._sections = _k_weighting(rate)
        self._state = np.zeros((2, 2, channels))
        self._step = round(rate * 0.1)
        self._rest = np.zeros((0, channels))
        self._energies: list[np.ndarray[Any, Any]] = []
        self.peak = 0.0
        """The largest sample so far."""

    def add(self, block: np.ndarray[Any, Any]) -> None:
        """Take in the next frames."""
        if not len(block):
            return
        self.peak = max(self.peak, float(np.abs(block).max()))
        filtered, self._state = self._filter(self._sections, block, axis=0, zi=self._state)
        if len(self._rest):
            filtered = np.concatenate([self._rest, filtered])
        whole = len(filtered) // self._step * self._step
        steps = filtered[:whole].reshape(-1, self._step * filtered.shape[1])
        self._energies.append(np.einsum("ij,ij->i", steps, steps) / self._step)
        self._rest = filtered[whole:].copy()

    def _gating_blocks(self) -> np.ndarray[Any, Any]:
        steps = np.concatenate(self._energies) if self._energies else np.zeros(0)
        if len(steps) < 4:
            return np.zeros(0)
        return np.convolve(steps, np.full(4, 0.25), "valid")  # 400 ms blocks, 75 % overlap

    def integrated(self) -> float | None:
        """The loudness in LUFS; None for less than 0.4 s or for silence."""
        blocks = self._gating_blocks()
        blocks = blocks[blocks > _energy(_ABSOLUTE_GATE)]
        if not len(blocks):
            return None
        blocks = blocks[blocks > blocks.mean() * 10 ** (_RELATIVE_GATE / 10)]
        return _lufs(float(blocks.mean()))

    def spread(self) -> float | None:
        """The difference between loud and quiet passages in LU: 95th less 10th percentile of 3 s windows."""
        steps = np.concatenate(self._energies) if self._energies else np.zeros(0)
        if len(steps) < 60:
            return None
        windows = np.convolve(steps, np.full(30, 1 / 30), "valid")[::10]
        windows = windows[windows > _energy(_ABSOLUTE_GATE)]
        if len(windows) < 3:
            return None
        windows = windows[windows > windows.mean() * 10**-2.0]
        low, high = np.percentile(windows, [10, 95])
        return _lufs(float(high)) - _lufs(float(low))


def _energy(lufs: float) -> float:
    return float(10.0 ** ((lufs + 0.691) / 10))


def _lufs(energy: float) -> float:
    return -0.691 + 10 * math.log10(energy)


def _k_weighting(rate: int) -> np.ndarray[Any, Any]:
    """The two second-order sections of BS.1770's pre-filter for any rate.

    The standard gives coefficients for 48 kHz; these are the analogue prototypes behind them (De Man
    2014, "Evaluation of Implementations of the EBU R128 Loudness Measurement").
    """
    gain, quality, centre = 3.999843853973347, 0.7071752369554196, 1681.974450955533
    k = math.tan(math.pi * centre / rate)
    high, band = 10 ** (gain / 20), 10 ** (gain / 20 * 0.4996667741545416)
    norm = 1 + k / quality + k * k
    shelf = [
        (high + band * k / quality + k * k) / norm,
        2 * (k * k - high) / norm,
        (high - band * k / quality + k * k) / norm,
        1.0,
        2 * (k * k - 1) / norm,
        (1 - k / quality + k * k) / norm,
    ]
    quality, centre = 0.5003270373238773, 38.13547087602444
    k = math.tan(math.pi * centre / rate)
    norm = 1 + k / quality + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm]
    return np.array([shelf, high_pass])
