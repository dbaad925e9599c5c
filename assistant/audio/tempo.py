"""Onsets and tempo from a spectrogram."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from assistant.audio.spectrum import FRAME_RATE, frequencies

LEAST_ONSET = 0.04
"""Of the 99th percentile of onset strength: a held chord has 0.02, the quietest of real music 0.08."""
_BANDS = 40
_TEMPO_RANGE = (40.0, 220.0)
# Percussive and busy music is faster than soft music: the prior's centre was fitted to half of the pieces
# of tests/bench/captions.py (leaving one out: 36 of 44 right, where one centre for all gives 29).
_CENTRE = 106.3
_RISE_SLOPE, _USUAL_RISE, _RISES = 0.261, 0.08, (0.028, 0.18)
_RATE_SLOPE, _USUAL_RATE, _RATES = 0.238, 2.5, (0.5, 8.0)
_SPREAD = 0.8  # of the log-normal prior, in octaves
_MULTIPLES = ((1, 1.0), (2, 1.0), (4, 1.0), (0.5, 0.3))  # of a period, with weights

Array = np.ndarray[Any, Any]


def onset_strength(spectra: Array) -> tuple[Array, float]:
    """Strengths of onsets [frames], and the mean rise that they are taken from.

    The half-wave rectified rise of the logarithm of 40 mel bands, less its mean over a second.
    """
    level = np.log1p(1000 * (spectra @ _mel_bands()) / max(float(spectra.max()), 1e-9))
    rise = np.maximum(0, np.diff(level, axis=0, prepend=level[:1])).mean(axis=1)
    width = round(FRAME_RATE)
    strength: Array = np.maximum(0, rise - np.convolve(rise, np.full(width, 1 / width), "same")[: len(rise)])
    return strength, float(rise.mean())


@lru_cache(maxsize=1)
def _mel_bands() -> Array:
    bins = frequencies()
    mel = 2595 * np.log10(1 + bins / 700)
    edges = np.linspace(mel[1], 2595 * math.log10(1 + 10000 / 700), _BANDS + 1)
    bands = np.zeros((len(bins), _BANDS), np.float32)
    place = np.digitize(mel, edges) - 1
    for band in range(_BANDS):
        chosen = place == band
        if not chosen.any():  # narrower than a bin
            chosen[np.argmin(np.abs(mel - edges[band]))] = True
        bands[chosen, band] = 1 / chosen.sum()
    return bands


def onset_rate(strength: Array) -> float:
    """Clear onsets a second."""
    threshold = 0.3 * np.percentile(strength, 99)
    inner = strength[1:-1]
    peaks = (inner > strength[:-2]) & (inner >= strength[2:]) & (inner > threshold)
    return round(float(peaks.sum()) / (len(strength) / FRAME_RATE), 2)


def tempo_of_onsets(strength: Array, rise: float) -> tuple[float | None, float]:
    """The tempo in beats a minute and how clear it is, 0 to 1, from what `onset_strength` gives.

    The autocorrelation is summed over multiples of each period and weighed with a log-normal prior for
    the tempi that people tap. Octave errors remain possible.
    """
    size = 1 << (2 * len(strength) - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(strength - strength.mean(), size)) ** 2
    correlation = np.fft.irfft(spectrum)[: len(strength)]
    if correlation[0] <= 0:
        return None, 0.0
    correlation = correlation / correlation[0] * len(strength) / (len(strength) - np.arange(len(strength)))
    tempi = np.arange(_TEMPO_RANGE[0], _TEMPO_RANGE[1], 0.1)
    periods = 60 * FRAME_RATE / tempi
    lags = np.arange(len(correlation))
    limit = len(correlation) * 2 / 3
    used = [(k, weight) for k, weight in _MULTIPLES if k * periods.max() < limit]
    if len(used) < 2:
        return None, 0.0
    score = sum(weight * np.interp(k * periods, lags, correlation) for k, weight in used)
    score = np.maximum(0, score / sum(weight for _k, weight in used))
    centre = (
        _CENTRE
        * (float(np.clip(rise, *_RISES)) / _USUAL_RISE) ** _RISE_SLOPE
        * (float(np.clip(onset_rate(strength), *_RATES)) / _USUAL_RATE) ** _RATE_SLOPE
    )
    best = int((score * np.exp(-0.5 * (np.log2(tempi / centre) / _SPREAD) ** 2)).argmax())
    # Far multiples tell the tempo exactly once it is roughly known.
    near = np.linspace(0.98, 1.02, 161) * tempi[best]
    fine = np.zeros(len(near))
    for k in (4, 8, 16):
        if k * 60 * FRAME_RATE / near.min() < limit:
            fine += np.interp(k * 60 * FRAME_RATE / near, lags, correlation)
    bpm = float(near[int(fine.argmax())]) if fine.any() else float(tempi[best])
    return bpm, float(np.clip(score[best], 0, 1))
