"""What musicnn's pretrained networks make of segments, and the colour and rhythm of their sound."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from assistant.audio import musicnn
from assistant.classify.mfcc import COEFFICIENTS, HOP, MFCC_BANDS, RATE, cepstrum, log_mel

TAGS = sum(len(tags) for tags in musicnn.TAGS.values())
EMBEDDING = musicnn.FEATURES * len(musicnn.TAGS)
COLOUR = 3 * COEFFICIENTS
PULSES = (0.3, 0.9, 1.6, 2.5, 4.0, 6.3, 10.0, 16.0, 21.0)
"""Edges of the bands of modulation in Hz; 2 Hz are the beats of 120 BPM."""
REGIONS = 8
"""Parts of the spectrum whose pulses are told apart."""
RHYTHM = REGIONS * (len(PULSES) - 1)
_PARTS = {"tags": TAGS, "embedding": EMBEDDING, "colour": COLOUR, "rhythm": RHYTHM}
_ENDS = list(accumulate(_PARTS.values()))
VALUES = _ENDS[-1]
BLOCKS = {name: slice(end - size, end) for (name, size), end in zip(_PARTS.items(), _ENDS, strict=True)}
"""Where in the vector each kind of features lies."""
_AUDIBLE_DB = 60.0
_MODULATION_POINTS = 256
_LEAST = 1e-6

Array = np.ndarray[Any, np.dtype[np.float32]]


def hear(segments: Iterable[Array]) -> list[Array]:
    """Of each mono segment at 22,050 Hz the vector [tags, embedding, colour, rhythm]; see `BLOCKS`.

    Tags are the log-odds of 50 + 50 tags, the embedding is the layer before the last of both networks,
    the colour is the mean, deviation and mean absolute step of each MFCC, and the rhythm is `rhythm`.
    Raises `MusicHelperError` where the weights are not installed.
    """
    import soxr

    own, patches = [], []
    for segment in segments:
        levels = log_mel(segment, MFCC_BANDS)
        own.append(np.concatenate([_colour(cepstrum(levels)), rhythm(levels)]))
        samples = soxr.resample(segment, RATE, musicnn.RATE)[: musicnn.PATCH_SAMPLES]
        samples = np.pad(samples, (0, musicnn.PATCH_SAMPLES - len(samples)))
        patches.append(musicnn.log_mel(samples))
    if not patches:
        return []
    stacked = np.stack(patches)
    heard = [musicnn.listen(stacked, model) for model in musicnn.TAGS]
    odds = [_log_odds(one.tags) for one in heard]
    rows = np.concatenate([*odds, *(one.features for one in heard), np.stack(own)], axis=1)
    return list(rows.astype(np.float32))


def rhythm(levels: Array) -> Array:
    """How strongly regions of the spectrum pulse, and how fast: `REGIONS` values for each band of `PULSES`.

    The logarithm of the power of modulations of levels in dB [frames, 128], after the fluctuation patterns
    of Pampalk, Rauber and Merkl (2002), "Content-based organization and visualization of music archives".
    """
    curves = levels.reshape(len(levels), REGIONS, -1).mean(axis=2)
    curves = np.maximum(curves, curves.max() - _AUDIBLE_DB)
    window = np.hanning(len(curves))[:, np.newaxis]
    points = max(_MODULATION_POINTS, len(curves))
    spectrum = np.fft.rfft((curves - curves.mean(axis=0)) * window, n=points, axis=0)
    rates = np.fft.rfftfreq(points, HOP / RATE)
    bands = [(rates >= low) & (rates < high) for low, high in pairwise(PULSES)]
    power = np.stack([(np.abs(spectrum[band]) ** 2).mean(axis=0) for band in bands])
    found: Array = np.log1p(power).ravel().astype(np.float32)
    return found


def _colour(coefficients: Array) -> Array:
    step = np.abs(np.diff(coefficients, axis=0)).mean(axis=0)
    return np.concatenate([coefficients.mean(axis=0), coefficients.std(axis=0), step])


def _log_odds(shares: Array) -> Array:
    clipped = np.clip(shares, _LEAST, 1 - _LEAST)
    odds: Array = np.log(clipped / (1 - clipped))
    return odds
