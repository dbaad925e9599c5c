"""Where sounds are joined: a file and what goes on from it, and the end of a loop and its beginning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

LOOP_SEARCH = 1.0
"""Seconds around the wanted length in which the end of a loop is looked for."""
LOOP_HEARD = 1.5
"""Seconds after the end that are compared with the beginning."""
_LOOP_FADE = 0.08
_ENVELOPE_RATE = 200  # values a second


def splice(kept: Sound, audio: Sound, heard: int, fade: int) -> Sound:
    """The file's own audio, then what is new of `audio`, whose first `heard` samples are the file's end
    as the codec says it: the codec's version is heard only inside the crossfade."""
    fade = min(fade, heard)
    rise = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
    joined = np.concatenate([kept, audio[:, heard:]], axis=1)
    joint = slice(kept.shape[1] - fade, kept.shape[1])
    joined[:, joint] = kept[:, joint] * (1 - rise) + audio[:, heard - fade : heard] * rise
    return joined


def loop(audio: Sound, rate: int, seconds: float) -> Sound:
    """A piece `[channels, samples]` of about `seconds` that goes on into itself.

    `audio` is longer by `loop_tail(seconds)`. The piece ends where the music that follows has its attacks
    where the beginning has them; that following music is faded out over the beginning, so what comes after
    the last sample is what came after it when it was made.
    """
    wanted, search = round(seconds * rate), _search(seconds)
    envelope = _attacks(audio, rate)
    heard = round(min(LOOP_HEARD, seconds / 2) * _ENVELOPE_RATE)
    first = round((seconds - search) * _ENVELOPE_RATE)
    last = min(round((seconds + search) * _ENVELOPE_RATE), len(envelope) - heard)
    beginning = _unit(envelope[:heard])
    # Where nothing is alike, the wanted length: a hundredth for each tenth of the range away from it.
    scores = [
        float(beginning @ _unit(envelope[place : place + heard]))
        - 0.1 * abs(place - seconds * _ENVELOPE_RATE) / max(1.0, search * _ENVELOPE_RATE)
        for place in range(first, last + 1)
    ]
    end = wanted if not scores else round((first + int(np.argmax(scores))) * rate / _ENVELOPE_RATE)
    fade = min(round(_LOOP_FADE * rate), audio.shape[1] - end, end)
    piece = audio[:, :end].copy()
    after, before = audio[:, end : end + fade], audio[:, :fade]
    rise = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
    alike = float(np.clip(_unit(after.ravel()) @ _unit(before.ravel()), 0.0, 1.0))
    level = np.sqrt(rise**2 + (1 - rise) ** 2 + 2 * alike * rise * (1 - rise))
    piece[:, :fade] = (after * (1 - rise) + before * rise) / level
    return piece


def loop_tail(seconds: float) -> float:
    """Seconds that are made beyond a loop, to find its end in and to fade from."""
    return _search(seconds) + min(LOOP_HEARD, seconds / 2) + _LOOP_FADE


def _search(seconds: float) -> float:
    return min(LOOP_SEARCH, seconds / 8)


def _attacks(audio: Sound, rate: int) -> Sound:
    """How much louder it gets in each two-hundredth of a second, in decibels."""
    hop = rate // _ENVELOPE_RATE
    power = np.square(audio.mean(axis=0))[: audio.shape[1] // hop * hop].reshape(-1, hop).mean(axis=1)
    level = 10 * np.log10(power + 1e-6)
    rises: Sound = np.maximum(0.0, np.diff(level, prepend=level[:1])).astype(np.float32)
    return rises


def _unit(values: Sound) -> Sound:
    length = float(np.linalg.norm(values))
    scaled: Sound = values / np.float32(length or 1.0)
    return scaled
