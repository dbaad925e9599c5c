"""The one short-time Fourier transform that tempo, key, colour and fingerprint are taken from."""

from __future__ import annotations

from typing import Any

import numpy as np

RATE = 22050
WINDOW = 2048
HOP = 512
FRAME_RATE = RATE / HOP
TONAL = slice(round(65.0 * WINDOW / RATE) - 1, round(2100.0 * WINDOW / RATE) + 2)
"""The bins that hold notes, with a neighbour on each side."""
TONAL_EVERY = 4
"""Of so many frames the first two are kept with their phases."""
_BATCH = 64  # small enough for the processor's cache; a multiple of TONAL_EVERY

Array = np.ndarray[Any, Any]


def spectrogram(samples: Array) -> tuple[Array, Array]:
    """Of mono samples at 22,050 Hz under Hann windows: magnitudes [frames, WINDOW / 2 + 1], float32, and
    the complex bins `TONAL` of pairs of neighbouring frames, [pairs, 2, bins], complex64."""
    from scipy.fft import rfft

    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    taper = np.hanning(WINDOW).astype(np.float32)
    spectra = np.empty((len(frames), WINDOW // 2 + 1), np.float32)
    pairs = []
    for start in range(0, len(frames), _BATCH):
        part = rfft(frames[start : start + _BATCH] * taper, axis=1)
        np.abs(part, out=spectra[start : start + _BATCH])
        second = part[1::TONAL_EVERY, TONAL]
        pairs.append(np.stack([part[::TONAL_EVERY, TONAL][: len(second)], second], axis=1))
    return spectra, np.concatenate(pairs)


def frequencies() -> Array:
    """The frequency of each bin in Hz."""
    return np.fft.rfftfreq(WINDOW, 1 / RATE)
