"""The key of music from the weights of its twelve pitch classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from assistant.audio.spectrum import HOP, RATE, TONAL, WINDOW

PITCHES = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
# Albrecht and Shanahan (2013), "The use of large corpora to train a new type of key-finding algorithm".
_MAJOR = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
_MINOR = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])
_PROMINENCE = 1.0  # of a peak over the median, in nepers

Array = np.ndarray[Any, Any]


def key_of_profile(profile: Array) -> tuple[str, float] | None:
    """The key whose profile correlates best with twelve pitch-class weights, and by how much it leads.

    The lead is over the best key that is not the relative one, which shares all its notes.
    """
    if profile.std() == 0:
        return None
    keys = [(tonic, mode) for tonic in range(12) for mode in (0, 1)]
    models = np.array([np.roll((_MAJOR, _MINOR)[mode], tonic) for tonic, mode in keys])
    models = models - models.mean(axis=1, keepdims=True)
    centred = profile - profile.mean()
    scores = models @ centred / np.sqrt(np.square(models).sum(axis=1) * np.square(centred).sum())
    tonic, mode = keys[int(scores.argmax())]
    relative = ((tonic + 9) % 12, 1) if mode == 0 else ((tonic + 3) % 12, 0)
    others = [score for key, score in zip(keys, scores, strict=True) if key not in ((tonic, mode), relative)]
    return f"{PITCHES[tonic]} {('major', 'minor')[mode]}", float(scores.max() - max(others))


def pitch_classes(tonal: Array) -> Array:
    """Weights of the twelve pitch classes, C first, of what `spectrogram` keeps with phases; tuning removed.

    They are of the peaks of the spectra, as in the pitch class profile of Gómez (2006). The
    frequency of a peak is told by how far its phase went from one frame to the next, as in the phase
    vocoder of Flanagan and Golden (1966): finer than the bins, between which bass notes lie.
    """
    first, second = tonal[:, 0], tonal[:, 1]
    logs = np.log(np.abs(first) + np.float32(1e-9))
    left, mid, right = logs[:, :-2], logs[:, 1:-1], logs[:, 2:]
    floor = np.median(logs, axis=1, keepdims=True)
    frames, bins = np.nonzero((mid > left) & (mid >= right) & (mid > floor + _PROMINENCE))
    if not len(bins):
        return np.zeros(12)
    bin_turns = (bins + TONAL.start + 1) * HOP / WINDOW
    turns = np.angle(second[frames, bins + 1] * first[frames, bins + 1].conj()) / (2 * np.pi)
    ahead = turns - bin_turns
    frequency = (bin_turns + ahead - np.rint(ahead)) * RATE / HOP
    pitch = 69 + 12 * np.log2(frequency / 440)
    weight = np.exp(0.5 * mid[frames, bins])  # between amplitude and mere presence
    tuning = np.angle(np.sum(weight * np.exp(2j * np.pi * pitch))) / (2 * np.pi)
    classes: Array = np.bincount(np.rint(pitch - tuning).astype(int) % 12, weight, 12)
    return classes
