"""Tempo, key, loudness and colour of music, from one pass over its samples.

Only an excerpt from the middle is analysed for tempo, key and colour; loudness is of the whole.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from assistant.audio.loudness import LoudnessMeter

EXCERPT_SECONDS = 90.0
RATE = 22050  # of the analysis
_HOP = 256
_WINDOW = 1024
_TEMPO_RANGE = (40.0, 220.0)
_LEAST_ONSET = 0.04  # a held chord has 0.02, the quietest of real music 0.08
_TEMPO_CENTRE, _TEMPO_SPREAD = 115.0, 0.9  # a log-normal prior, in octaves
_PITCHES = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
# Krumhansl and Kessler (1982), probe-tone profiles.
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])

Array = np.ndarray[Any, Any]


class Measurer:
    """Takes blocks [frames, channels] of a stream and keeps what it needs of them: flat memory."""

    def __init__(self, rate: int, channels: int, duration: float | None) -> None:
        self._rate = rate
        self._meter = LoudnessMeter(rate, channels)
        start = max(0.0, (duration - EXCERPT_SECONDS) / 2) if duration else 0.0
        self._first = round(start * rate)
        self._last = self._first + round(EXCERPT_SECONDS * rate)
        self._excerpt: list[Array] = []
        self._difference = self._sum = 0.0
        self.frames = 0

    def add(self, block: Array) -> None:
        """Take in the next frames."""
        self._meter.add(block)
        mono = block.mean(axis=1)
        if block.shape[1] == 2:
            self._difference += float(np.square(block[:, 0] - block[:, 1], dtype=np.float64).sum())
            self._sum += float(np.square(block[:, 0] + block[:, 1], dtype=np.float64).sum())
        low, high = self._first - self.frames, self._last - self.frames
        if high > 0 and low < len(block):
            self._excerpt.append(mono[max(0, low) : high].astype(np.float32))
        self.frames += len(block)

    @property
    def peak(self) -> float:
        """The largest sample so far."""
        return self._meter.peak

    def facts(self, gain: float = 1.0) -> dict[str, Any]:
        """Everything measured, as plain values; `gain` is what the samples were multiplied by since.

        Keys, each absent where the music does not tell: loudness and peak (LUFS, dBFS), spread (LU),
        width (0 mono to 1), bpm, bpm_confidence (0 to 1), key, key_confidence, brightness (Hz), onsets
        (a second).
        """
        change = 20 * math.log10(gain)
        facts: dict[str, Any] = {"peak": round(20 * math.log10(max(self.peak, 1e-9)) + change, 2)}
        loudness, spread = self._meter.integrated(), self._meter.spread()
        if loudness is not None:
            facts["loudness"] = round(loudness + change, 2)
        if spread is not None:
            facts["spread"] = round(spread, 2)
        if self._sum + self._difference > 0:
            facts["width"] = round(self._difference / (self._sum + self._difference), 3)
        excerpt = self._excerpt_at_analysis_rate()
        if len(excerpt) >= 3 * RATE and np.abs(excerpt).max() > 1e-4:
            facts |= _rhythm_and_colour(excerpt)
            key = key_of_profile(_chroma(excerpt))
            if key is not None:
                facts |= {"key": key[0], "key_confidence": round(key[1], 3), "key_source": "sound"}
        return facts

    def _excerpt_at_analysis_rate(self) -> Array:
        import soxr

        if not self._excerpt:
            return np.zeros(0, np.float32)
        samples: Array = soxr.resample(np.concatenate(self._excerpt), self._rate, RATE)
        return samples


def key_of_profile(profile: Array) -> tuple[str, float] | None:
    """The key whose profile correlates best with twelve pitch-class weights, and by how much it leads.

    The lead is over the best key that is not the relative one, which shares all its notes.
    """
    if profile.std() == 0:
        return None
    keys = [(tonic, mode) for tonic in range(12) for mode in (0, 1)]
    scores = np.array(
        [np.corrcoef(profile, np.roll((_MAJOR, _MINOR)[mode], tonic))[0, 1] for tonic, mode in keys]
    )
    tonic, mode = keys[int(scores.argmax())]
    relative = ((tonic + 9) % 12, 1) if mode == 0 else ((tonic + 3) % 12, 0)
    others = [score for key, score in zip(keys, scores, strict=True) if key not in ((tonic, mode), relative)]
    name = f"{_PITCHES[tonic]} {('major', 'minor')[mode]}"
    return name, float(scores.max() - max(others))


def _spectra(samples: Array, window: int, hop: int) -> Array:
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    taper = np.hanning(window).astype(np.float32)
    parts = [
        np.abs(np.fft.rfft(frames[i : i + 512] * taper, axis=1)).astype(np.float32)
        for i in range(0, len(frames), 512)
    ]
    return np.concatenate(parts)


def _rhythm_and_colour(samples: Array) -> dict[str, Any]:
    spectra = _spectra(samples, _WINDOW, _HOP)
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    energy = spectra.sum(axis=1)
    loud = energy > 0.05 * energy.max()
    centroid = (spectra[loud] @ frequencies) / energy[loud]
    strength = _onset_strength(spectra, frequencies)
    facts: dict[str, Any] = {"brightness": round(float(np.median(centroid))), "onsets": 0.0}
    if np.percentile(strength, 99) < _LEAST_ONSET:
        return facts
    facts["onsets"] = _onsets(strength)
    bpm, confidence = tempo_of_onsets(strength, RATE / _HOP)
    if bpm is not None:
        facts |= {"bpm": round(bpm, 1), "bpm_confidence": round(confidence, 3), "bpm_source": "sound"}
    return facts


def _onset_strength(spectra: Array, frequencies: Array) -> Array:
    """Half-wave rectified rise of the logarithm of 40 mel bands, less its local mean."""
    mel = 2595 * np.log10(1 + frequencies / 700)
    edges = np.linspace(mel[1], 2595 * math.log10(1 + 10000 / 700), 41)
    bands = np.zeros((len(frequencies), 40), np.float32)
    place = np.digitize(mel, edges) - 1
    for band in range(40):
        chosen = place == band
        if not chosen.any():  # narrower than a bin
            chosen[np.argmin(np.abs(mel - edges[band]))] = True
        bands[chosen, band] = 1 / chosen.sum()
    level = np.log1p(1000 * (spectra @ bands) / max(float(spectra.max()), 1e-9))
    rise = np.maximum(0, np.diff(level, axis=0, prepend=level[:1])).mean(axis=1)
    width = round(RATE / _HOP)
    rise = rise - np.convolve(rise, np.full(width, 1 / width), "same")
    strength: Array = np.maximum(0, rise)
    return strength


def _onsets(strength: Array) -> float:
    """Clear onsets a second."""
    threshold = 0.3 * np.percentile(strength, 99)
    inner = strength[1:-1]
    peaks = (inner > strength[:-2]) & (inner >= strength[2:]) & (inner > threshold)
    return round(float(peaks.sum()) / (len(strength) * _HOP / RATE), 2)


def tempo_of_onsets(strength: Array, rate: float) -> tuple[float | None, float]:
    """The tempo in beats a minute and how clear it is, from onset strengths at `rate` a second.

    The autocorrelation is summed over the first multiples of each period and weighed with a prior for
    the tempi that people tap. Octave errors remain possible.
    """
    size = 1 << (2 * len(strength) - 1).bit_length()
    centred = strength - strength.mean()
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    correlation = np.fft.irfft(spectrum)[: len(strength)]
    if correlation[0] <= 0:
        return None, 0.0
    correlation = correlation / correlation[0] * len(strength) / (len(strength) - np.arange(len(strength)))
    tempi = np.arange(_TEMPO_RANGE[0], _TEMPO_RANGE[1], 0.1)
    periods = 60 * rate / tempi
    lags = np.arange(len(correlation))
    limit = len(correlation) * 2 / 3
    multiples = [k for k in (1, 2, 3, 4) if k * periods.max() < limit]
    if not multiples:
        return None, 0.0
    score = np.mean([np.interp(k * periods, lags, correlation) for k in multiples], axis=0)
    prior = np.exp(-0.5 * (np.log2(tempi / _TEMPO_CENTRE) / _TEMPO_SPREAD) ** 2)
    best = int((score * prior).argmax())
    # Far multiples tell the tempo exactly once it is roughly known.
    near = np.linspace(0.98, 1.02, 161) * tempi[best]
    fine = np.zeros(len(near))
    for k in (4, 8, 16):
        if k * 60 * rate / near.min() < limit:
            fine += np.interp(k * 60 * rate / near, lags, correlation)
    bpm = float(near[int(fine.argmax())]) if fine.any() else float(tempi[best])
    return bpm, float(np.clip(score[best], 0, 1))


def _chroma(samples: Array) -> Array:
    """Weights of the twelve pitch classes from spectral peaks between 65 and 2,100 Hz, tuning removed."""
    window = 8192
    spectra = _spectra(samples, window, window // 2)
    low, high = (round(f * window / RATE) for f in (65.0, 2100.0))
    logs = np.log(spectra[:, low - 1 : high + 1] + 1e-9)
    left, mid, right = logs[:, :-2], logs[:, 1:-1], logs[:, 2:]
    floor = np.median(logs, axis=1, keepdims=True)
    frames, bins = np.nonzero((mid > left) & (mid > right) & (mid > floor + 1.0))
    if not len(bins):
        return np.zeros(12)
    a, b, c = left[frames, bins], mid[frames, bins], right[frames, bins]
    shift = 0.5 * (a - c) / (a - 2 * b + c)
    pitch = 69 + 12 * np.log2((bins + low + shift) * RATE / window / 440)
    weight = np.exp(0.5 * b)  # between amplitude and mere presence
    weight = weight / np.bincount(frames, weight, len(spectra))[frames]
    tuning = np.angle(np.sum(weight * np.exp(2j * np.pi * pitch))) / (2 * np.pi)
    classes = np.rint(pitch - tuning).astype(int) % 12
    chroma: Array = np.bincount(classes, weight, 12)
    return chroma
