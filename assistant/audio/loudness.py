"""Integrated loudness after ITU-R BS.1770-4, from a stream of blocks of any length."""

from __future__ import annotations

import math
from copy import copy
from typing import Any

import numpy as np

from assistant.audio.channels import planes

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_ROW = 64  # samples that are filtered by one product
_FORGOTTEN = 1e-9

Array = np.ndarray[Any, Any]


class LoudnessMeter:
    """Add blocks [frames, channels] of one or two channels; ask for the loudness at the end."""

    def __init__(self, rate: int, channels: int) -> None:
        self._filter = _RowFilter(_k_weighting(rate), channels)
        self._step = round(rate * 0.1)
        self._waiting = np.zeros((channels, 0), np.float32)  # less than a row
        self._rest = np.zeros((channels, 0), np.float32)  # filtered, less than a step
        self._energies: list[Array] = []
        self.peak = 0.0
        """The largest sample so far."""

    def add(self, block: Array) -> None:
        """Take in the next frames."""
        if not len(block):
            return
        self.peak = max(self.peak, float(block.max()), -float(block.min()))
        samples = np.asarray(planes(block), np.float32)
        if self._waiting.size:
            samples = np.concatenate([self._waiting, samples], axis=1)
        whole = samples.shape[1] // _ROW * _ROW
        filtered = np.concatenate([self._rest, self._filter(samples[:, :whole])], axis=1)
        self._waiting = samples[:, whole:].copy()
        energies, self._rest = self._measured(filtered)
        self._energies.append(energies)

    def _measured(self, filtered: Array) -> tuple[Array, Array]:
        """The mean squares of whole steps, summed over the channels, and what is left behind them."""
        count = filtered.shape[1] // self._step
        steps = filtered[:, : count * self._step].reshape(len(filtered), count, self._step)
        with np.errstate(over="ignore", invalid="ignore"):
            energies = np.einsum("cij,cij->i", steps, steps).astype(np.float64) / self._step
        return energies, filtered[:, count * self._step :].copy()

    def _steps(self) -> Array:
        """The mean squares of 100 ms each, as far as they are numbers: a float file may hold anything."""
        waiting = self._waiting.shape[1]
        row = np.pad(self._waiting, ((0, 0), (0, _ROW - waiting)))
        last = copy(self._filter)(row)[:, :waiting]
        energies, _rest = self._measured(np.concatenate([self._rest, last], axis=1))
        steps = np.concatenate([*self._energies, energies])
        finite: Array = steps[np.isfinite(steps)]
        return finite

    def _gating_blocks(self) -> Array:
        steps = self._steps()
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
        steps = self._steps()
        if len(steps) < 60:
            return None
        windows = np.convolve(steps, np.full(30, 1 / 30), "valid")[::10]
        windows = windows[windows > _energy(_ABSOLUTE_GATE)]
        if len(windows) < 3:
            return None
        windows = windows[windows > windows.mean() * 10**-2.0]
        low, high = np.percentile(windows, [10, 95])
        return _lufs(float(high)) - _lufs(float(low))


class _RowFilter:
    """A recursive filter as matrix products over rows of samples: several times as fast as one by one.

    From the state s before a row x come the output x @ forced + s @ free and the state behind it,
    x @ entering + s @ passing.
    """

    def __init__(self, sections: Array, channels: int) -> None:
        size = 2 * len(sections)
        forced, entering = _filtered(sections, np.eye(_ROW), np.zeros((_ROW, size)))
        self._forced, self._entering = forced.astype(np.float32), entering.astype(np.float32)
        free, passing = _filtered(sections, np.zeros((size, _ROW)), np.eye(size))
        self._free = free.astype(np.float32)
        self._passing = [passing]  # of one row, two, four and so on
        while np.abs(self._passing[-1]).max() > _FORGOTTEN:
            self._passing.append(self._passing[-1] @ self._passing[-1])
        self._state = np.zeros((channels, 1, size))

    def __call__(self, samples: Array) -> Array:
        """The output for samples [channels, whole rows]."""
        rows = samples.reshape(len(samples), samples.shape[1] // _ROW, _ROW)
        states = np.concatenate([self._state, rows @ self._entering], axis=1)
        reach = 1
        for passing in self._passing:  # prefix sums by doubling (Hillis and Steele 1986)
            if reach >= states.shape[1]:
                break
            states[:, reach:] += states[:, :-reach] @ passing
            reach *= 2
        self._state = states[:, -1:]
        output: Array = rows @ self._forced
        output += states[:, :-1].astype(np.float32) @ self._free
        return output.reshape(samples.shape)


def _filtered(sections: Array, rows: Array, states: Array) -> tuple[Array, Array]:
    """Rows [n, samples] through second-order sections, and the states [n, 2 * sections] behind them.

    In the transposed direct form II, whose states scipy and others keep too.
    """
    output, after = rows.copy(), states.copy()
    for number, (b0, b1, b2, _one, a1, a2) in enumerate(sections):
        first, second = after[:, 2 * number], after[:, 2 * number + 1]
        for place in range(output.shape[1]):
            given = output[:, place].copy()
            output[:, place] = made = b0 * given + first
            first[:] = b1 * given - a1 * made + second
            second[:] = b2 * given - a2 * made
    return output, after


def _energy(lufs: float) -> float:
    return float(10.0 ** ((lufs + 0.691) / 10))


def _lufs(energy: float) -> float:
    return -0.691 + 10 * math.log10(energy)


def _k_weighting(rate: int) -> Array:
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
