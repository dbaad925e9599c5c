"""Integrated loudness after ITU-R BS.1770-4, from a stream of blocks of any length.

The K-weighting is applied to power spectra of overlapping frames in place of filtering each sample, which
takes a quarter of the time: only energies are asked for.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_FADE = 0.22  # of a step, over which neighbouring frames overlap

Array = np.ndarray[Any, Any]


class LoudnessMeter:
    """Add blocks [frames, channels] of one or two channels; ask for the loudness at the end."""

    def __init__(self, rate: int, channels: int) -> None:
        self._stereo = channels == 2
        self._step = round(rate * 0.1)
        self._window, self._weights = _analysis(rate, self._step, self._stereo)
        self._after = (len(self._window) - self._step) // 2  # samples of a frame behind its step
        before = len(self._window) - self._step - self._after + 1
        self._rest = np.zeros(before, np.complex64 if self._stereo else np.float32)
        self._energies: list[Array] = []
        self.peak = 0.0
        """The largest sample so far."""

    def add(self, block: Array) -> None:
        """Take in the next frames."""
        if not len(block):
            return
        self.peak = max(self.peak, float(block.max()), -float(block.min()))
        samples = np.ascontiguousarray(block, np.float32)
        if self._stereo:  # left and right as real and imaginary parts: one transform has the energy of both
            samples = samples.view(np.complex64)
        samples = np.concatenate([self._rest, samples[:, 0]])
        energies = self._energies_of(samples)
        self._energies.append(energies)
        self._rest = samples[len(energies) * self._step :].copy()

    def _energies_of(self, samples: Array) -> Array:
        """The mean weighted squares of the steps that are whole, from one sample before the first frame."""
        from scipy.fft import fft, rfft

        if len(samples) <= len(self._window):
            return np.zeros(0, np.float32)
        # The difference keeps offsets and rumble, which the weights all but remove, from leaking.
        rises = samples[1:] - samples[:-1]
        frames = np.lib.stride_tricks.sliding_window_view(rises, len(self._window))[:: self._step]
        parts = (fft if self._stereo else rfft)(frames * self._window, axis=1).view(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # a float file may hold anything
            energies: Array = np.square(parts, out=parts) @ self._weights
        return energies

    def _steps(self) -> Array:
        """The mean weighted squares of 100 ms each, as far as they are numbers."""
        last = self._energies_of(np.pad(self._rest, (0, self._after), "edge"))
        steps = np.concatenate([*self._energies, last])
        finite: Array = steps[np.isfinite(steps)].astype(np.float64)
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


def _energy(lufs: float) -> float:
    return float(10.0 ** ((lufs + 0.691) / 10))


def _lufs(energy: float) -> float:
    return -0.691 + 10 * math.log10(energy)


@lru_cache(maxsize=4)
def _analysis(rate: int, step: int, stereo: bool) -> tuple[Array, Array]:
    """The window of a frame, and what the squared parts of its spectrum are weighed with.

    The squares of overlapping windows add up to one. The weights are the power response of the K-weighting
    over that of the difference that was taken before. Their transform is divided by the autocorrelation of
    the window, so that the mean energy is not biased by the window's smoothing (the lag window of Blackman
    and Tukey 1958, "The Measurement of Power Spectra").
    """
    from scipy.fft import next_fast_len

    length = next_fast_len(round(step * (1 + _FADE)), real=True)
    fade = np.sin(np.pi / 2 * (np.arange(length - step) + 0.5) / (length - step))
    window = np.concatenate([fade, np.ones(2 * step - length), fade[::-1]])
    size = 1 << (4 * length).bit_length()
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = np.ones(len(delay))
    for section in _k_weighting(rate):
        response *= np.abs(np.polyval(section[2::-1], delay) / np.polyval(section[:2:-1], delay)) ** 2
    response[1:] /= np.abs(1 - delay[1:]) ** 2
    lags = np.arange(length // 2 + 1)
    overlap = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)[lags]
    smooth = np.fft.irfft(response)[lags] / overlap
    weights = np.fft.hfft(smooth, length)
    if not stereo:
        weights = weights[: length // 2 + 1] * np.where(lags * 2 % length == 0, 1, 2)
    return window.astype(np.float32), np.repeat(weights / length, 2).astype(np.float32)


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
