"""The outline of a sound for a waveform on the screen."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile

from assistant.errors import FileError
from assistant.i18n import _

_BLOCK = 1 << 16


def peaks(path: Path, width: int) -> list[tuple[float, float]]:
    """The lowest and highest sample of each of `width` equal parts of a file, -1 to 1.

    Read in blocks, so that a file of any length costs little memory. A file shorter than `width`
    samples gives empty columns as (0, 0). Raises `FileError` for a file that cannot be read.
    """
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            position, frames = 0, max(1, file.frames)
            for block in file.blocks(_BLOCK, dtype="float32", always_2d=True):
                columns = np.minimum((position + np.arange(len(block))) * width // frames, width - 1)
                np.minimum.at(low, columns, block.min(axis=1))
                np.maximum.at(high, columns, block.max(axis=1))
                position += len(block)
    except (soundfile.SoundFileError, OSError) as error:
        raise FileError(path, _("{path} cannot be read as audio.").format(path=path)) from error
    empty = np.isinf(low)
    low[empty] = high[empty] = 0.0
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
