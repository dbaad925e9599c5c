"""What is measured of music while it is decoded, each fact with its source and confidence.

Loudness and width are of the whole; tempo, key, colour and the fingerprint are taken from one spectrogram
of an excerpt from the middle; the networks of `musicnn` hear a few patches spread over the whole.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from assistant.audio.channels import planes
from assistant.audio.fingerprint import fingerprint
from assistant.audio.key import key_of_profile, pitch_classes
from assistant.audio.loudness import LoudnessMeter
from assistant.audio.spectrum import RATE, frequencies, spectrogram
from assistant.audio.tempo import LEAST_ONSET, onset_rate, onset_strength, tempo_of_onsets

EXCERPT_SECONDS = 90.0
_SHORTEST = 3.0  # seconds that can be analysed
_QUIETEST = 1e-4

Array = np.ndarray[Any, Any]
Fact = dict[str, Any]
"""value, source ("sound", "file", "notes", "musicnn", "tags", "folder" or "person"), confidence (0 to 1)."""


class Measurer:
    """Takes blocks [frames, channels] of a stream and keeps what it needs of them: flat memory."""

    def __init__(self, rate: int, channels: int, duration: float | None, *, listen: bool = False) -> None:
        self._rate = rate
        self._meter = LoudnessMeter(rate, channels)
        start = max(0.0, (duration - EXCERPT_SECONDS) / 2) if duration else 0.0
        self._first = round(start * rate)
        self._last = self._first + round(EXCERPT_SECONDS * rate)
        self._excerpt: list[Array] = []
        self._patches = _patches(rate) if listen else None
        self._spectra: Array | None = None
        self._tonal = np.zeros((0, 2, 0), np.complex64)
        self._difference = self._sum = 0.0
        self.frames = 0

    def add(self, block: Array) -> None:
        """Take in the next frames."""
        self._meter.add(block)
        channels = planes(np.asarray(block, np.float32))
        mono = channels[0]
        if len(channels) == 2:
            both, difference = channels[0] + channels[1], channels[0] - channels[1]
            self._sum += float(np.dot(both, both))
            self._difference += float(np.dot(difference, difference))
            mono = np.multiply(both, np.float32(0.5), out=both)
        low, high = self._first - self.frames, self._last - self.frames
        if high > 0 and low < len(block):
            self._excerpt.append(mono[max(0, low) : high].copy())
        if self._patches is not None:
            self._patches.add(mono)
        self.frames += len(block)

    @property
    def peak(self) -> float:
        """The largest sample so far."""
        return self._meter.peak

    def facts(self, gain: float = 1.0) -> dict[str, Fact]:
        """Everything measured by name; `gain` is what the samples were multiplied by since.

        Absent where the music does not tell: loudness and peak (LUFS, dBFS), spread (LU), width (0 mono
        to 1), bpm, key, brightness (Hz), onsets (a second), likely_instruments, likely_voice,
        likely_moods (lists of words).
        """
        change = 20 * math.log10(gain)
        facts = {"peak": _of_sound(round(20 * math.log10(max(self.peak, 1e-9)) + change, 2))}
        loudness, spread = self._meter.integrated(), self._meter.spread()
        if loudness is not None:
            facts["loudness"] = _of_sound(round(loudness + change, 2))
        if spread is not None:
            facts["spread"] = _of_sound(round(spread, 2))
        if 0 < self._sum + self._difference < math.inf:
            facts["width"] = _of_sound(round(self._difference / (self._sum + self._difference), 3))
        spectra = self._spectrogram()
        if len(spectra):
            facts |= _rhythm_and_colour(spectra)
            key = key_of_profile(pitch_classes(self._tonal))
            if key is not None:
                facts["key"] = _of_sound(key[0], key[1])
        if self._patches is not None:
            facts |= self._patches.facts()
        return facts

    def fingerprint(self) -> bytes:
        """What the excerpt sounds like; empty for what is too short or too plain to be known by it."""
        spectra = self._spectrogram()
        return fingerprint(spectra) if len(spectra) else b""

    def _spectrogram(self) -> Array:
        """Of the excerpt; without frames where it is too short or silent."""
        import soxr

        if self._spectra is None:
            samples = np.concatenate(self._excerpt) if self._excerpt else np.zeros(0, np.float32)
            self._excerpt.clear()
            if len(samples) < _SHORTEST * self._rate or np.abs(samples).max() <= _QUIETEST:
                self._spectra = np.zeros((0, 0), np.float32)
            else:
                samples = soxr.resample(samples, self._rate, RATE, quality="MQ")
                self._spectra, self._tonal = spectrogram(samples)
        return self._spectra


def _patches(rate: int) -> Any:
    from assistant.audio.listening import Patches

    return Patches(rate)


def _of_sound(value: Any, confidence: float = 1.0) -> Fact:
    return {"value": value, "source": "sound", "confidence": round(confidence, 3)}


def _rhythm_and_colour(spectra: Array) -> dict[str, Fact]:
    energy = spectra.sum(axis=1)
    loud = energy > 0.05 * energy.max()
    centroid = (spectra[loud] @ frequencies().astype(np.float32)) / energy[loud]
    facts = {"brightness": _of_sound(round(float(np.median(centroid)))), "onsets": _of_sound(0.0)}
    strength, rise = onset_strength(spectra)
    if np.percentile(strength, 99) < LEAST_ONSET:
        return facts
    facts["onsets"] = _of_sound(onset_rate(strength))
    bpm, confidence = tempo_of_onsets(strength, rise)
    if bpm is not None:
        facts["bpm"] = _of_sound(round(bpm, 1), confidence)
    return facts
