"""Likely instruments, voices and moods: musicnn's tags of patches spread over a track, above thresholds.

The thresholds of piano, strings and drums are the lowest at which 95 % were right on one half of the
rendered MIDI of `tests/bench/captions.py`, with five found at least; guitar and flute were found too seldom
for that and stand at 0.5. Voices, which no MIDI has, are at the lowest without a false one; that has not been
checked on other music. "danceable" is at the lowest tenth that contradicted no genre in one half of a
collection of clips, with three found at least; "mellow" was found too seldom for that. The confidence is the
precision on the other half, (right + 1) / (found + 2), and 0.5 where none can be measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assistant.audio.musicnn import PATCH_SAMPLES, RATE, TAGS, Model, listen, log_mel

PATCHES = 6
_SECONDS = (PATCH_SAMPLES + 1) / RATE
_QUIETEST = 1e-3

Array = np.ndarray[Any, Any]

GROUPS: dict[str, dict[str, tuple[Model, tuple[str, ...], float, float]]] = {
    "likely_instruments": {
        "piano": ("MTT", ("piano",), 0.3, 0.86),
        "strings": ("MTT", ("strings", "violin", "cello"), 0.15, 0.83),
        "drums": ("MTT", ("drums", "beat", "beats"), 0.1, 0.93),
        "guitar": ("MTT", ("guitar",), 0.5, 0.8),
        "flute": ("MTT", ("flute",), 0.5, 0.5),
    },
    "likely_voice": {
        "female voice": ("MTT", ("female", "woman", "female vocal", "female voice"), 0.3, 0.5),
        "male voice": ("MTT", ("male", "man", "male vocal", "male voice"), 0.2, 0.5),
    },
    "likely_moods": {
        "mellow": ("MSD", ("mellow", "chillout", "chill", "easy listening"), 0.3, 0.5),
        "danceable": ("MSD", ("dance", "party"), 0.1, 0.83),
    },
}
"""By fact: words, each with the network, the tags of which the highest counts, threshold and confidence."""


class Patches:
    """Takes mono samples of a stream of unknown length and keeps stretches spread evenly over it."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._length = round(_SECONDS * rate)
        self._kept: list[Array] = []
        self._stride = 1
        self._block: list[Array] = []
        self._have = self._seen = 0

    def add(self, mono: Array) -> None:
        """Take in the next samples."""
        while len(mono):
            part = mono[: self._length - self._have]
            mono = mono[len(part) :]
            if self._seen % self._stride == 0:
                self._block.append(part.astype(np.float32))
            self._have += len(part)
            if self._have == self._length:
                self._end_block()

    def _end_block(self) -> None:
        if self._block:
            self._kept.append(np.concatenate(self._block))
            self._block.clear()
        self._have = 0
        self._seen += 1
        if len(self._kept) > 4 * PATCHES:  # every other one is enough
            del self._kept[1::2]
            self._stride *= 2

    def facts(self) -> dict[str, dict[str, Any]]:
        """What the networks probably hear, as facts with the source "musicnn"; {} where they cannot say."""
        means = self.tags()
        facts = {}
        for fact, words in GROUPS.items() if means else ():
            found = []
            for word, (model, tags, threshold, precision) in words.items():
                level = max(float(means[model][TAGS[model].index(tag)]) for tag in tags)
                if level >= threshold:
                    found.append((level / threshold, word, precision))
            found.sort(reverse=True)
            if found:
                confidence = min(precision for _level, _word, precision in found)
                facts[fact] = {
                    "value": [word for _level, word, _precision in found],
                    "source": "musicnn",
                    "confidence": confidence,
                }
        return facts

    def tags(self) -> dict[Model, Array]:
        """The mean probability of each tag by network; empty for what is silent or shorter than a patch."""
        import soxr

        sounding = [block for block in self._kept if np.abs(block).max() > _QUIETEST]
        if not sounding:
            return {}
        chosen = np.linspace(0, len(sounding) - 1, min(PATCHES, len(sounding))).round().astype(int)
        mels = [log_mel(soxr.resample(sounding[place], self._rate, RATE)[:PATCH_SAMPLES]) for place in chosen]
        patches = np.stack(mels)
        return {model: listen(patches, model).tags.mean(axis=0) for model in TAGS}
