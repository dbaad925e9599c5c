"""From float samples to a 16-bit WAV, with dither where there is something to dither."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio.channels import interleaved

Array = np.ndarray[Any, Any]

_TABLE = 1 << 20
_PART = 1 << 17  # samples that get one stretch of noise
_LOOK = 2048
_SILENCE_FRAMES = 64


class Quantiser:
    """Rounds blocks [frames, channels] to 16 bits, repeatably for the same seed.

    Samples that are 16-bit values already, as those of a CD-quality source are, pass bit for bit. All
    others (deeper, resampled, mixed down, changed in level, or from a lossy codec) get triangular dither
    of two steps (Lipshitz, Wannamaker and Vanderkooy, "Quantization and Dither", 1992), so that the
    error is noise and never distortion. Digital silence stays silence.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, block: Array, gain: float = 1.0) -> Array:
        """The block times `gain` as int16, the samples of a frame side by side."""
        scaled = np.multiply(block, np.float32(gain * 32768), order="A")
        flat = scaled.reshape(-1, order="A")
        if not _whole(flat):
            quiet = _silence(block)
            noise = _noise()
            for start in range(0, len(flat), _PART):
                part = flat[start : start + _PART]
                offset = int(self._random.integers(0, _TABLE - len(part)))
                part += noise[offset : offset + len(part)]
            if quiet is not None:
                scaled[quiet] = 0
            np.rint(flat, out=flat)
        np.clip(flat, -32768, 32767, out=flat)
        return interleaved(scaled.astype(np.int16))


def content_seed(path: Path) -> int:
    """A seed that is the same for the same file content, whatever its name."""
    with path.open("rb") as file:
        head = file.read(4096)
        size = os.fstat(file.fileno()).st_size
    return int.from_bytes(head[-16:], "big") ^ size


def _whole(flat: Array) -> bool:
    """Whether all values are whole numbers; mostly known after the first."""
    look = flat[:_LOOK]
    return bool((np.rint(look) == look).all() and (np.rint(flat) == flat).all())


@cache
def _noise() -> Array:
    random = np.random.default_rng(0)
    noise: Array = random.random(_TABLE, np.float32) - random.random(_TABLE, np.float32)
    return noise


def _silence(block: Array) -> Array | None:
    """A mask of the samples in runs of silence of their channel; None where there are none."""
    if block.all():
        return None
    mask = np.zeros_like(block, bool)
    for channel, quiet in zip(block.T, mask.T, strict=True):
        edges = np.flatnonzero(np.diff(channel == 0, prepend=False, append=False))
        starts, ends = edges[0::2], edges[1::2]
        long = ends - starts >= _SILENCE_FRAMES
        for start, end in zip(starts[long], ends[long], strict=True):
            quiet[start:end] = True
    return mask
