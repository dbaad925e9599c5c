"""What musicnn's pretrained networks make of segments, with the colour of their sound beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from assistant.audio import musicnn
from assistant.classify.mfcc import COEFFICIENTS, RATE, mfcc

TAGS = sum(len(tags) for tags in musicnn.TAGS.values())
EMBEDDING = musicnn.FEATURES * len(musicnn.TAGS)
COLOUR = 3 * COEFFICIENTS
VALUES = TAGS + EMBEDDING + COLOUR
_LEAST = 1e-6

Array = np.ndarray[Any, np.dtype[np.float32]]


def hear(segments: Iterable[Array]) -> list[Array]:
    """Of each mono segment at 22,050 Hz the vector [tags, embedding, colour].

    Tags are the log-odds of 50 + 50 tags, the embedding is the layer before the last of both networks,
    and the colour is the mean, deviation and mean absolute step of each MFCC.
    Raises `MusicHelperError` where the weights are not installed.
    """
    import soxr

    colours, patches = [], []
    for segment in segments:
        found = mfcc(segment)
        step = np.abs(np.diff(found, axis=0)).mean(axis=0)
        colours.append(np.concatenate([found.mean(axis=0), found.std(axis=0), step]))
        samples = soxr.resample(segment, RATE, musicnn.RATE)[: musicnn.PATCH_SAMPLES]
        samples = np.pad(samples, (0, musicnn.PATCH_SAMPLES - len(samples)))
        patches.append(musicnn.log_mel(samples))
    if not patches:
        return []
    stacked = np.stack(patches)
    heard = [musicnn.listen(stacked, model) for model in musicnn.TAGS]
    odds = [_log_odds(one.tags) for one in heard]
    rows = np.concatenate([*odds, *(one.features for one in heard), np.stack(colours)], axis=1)
    return list(rows.astype(np.float32))


def _log_odds(shares: Array) -> Array:
    clipped = np.clip(shares, _LEAST, 1 - _LEAST)
    odds: Array = np.log(clipped / (1 - clipped))
    return odds
