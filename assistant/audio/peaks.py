"""The outline of a sound for a waveform on the screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from assistant.audio.open import open_sound
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
        with open_sound(path) as file:
            edges = -(-np.arange(width) * file.frames // width)
            position = 0
            for block in file.blocks(_BLOCK, dtype="float32", always_2d=True):
                first = int(np.searchsorted(edges, position, side="right")) - 1
                last = int(np.searchsorted(edges, position + len(block), side="left"))
                starts = np.maximum(edges[first:last] - position, 0)
                # Of columns shorter than a sample, the last one has it, as it has the later edge.
                kept = np.append(np.diff(starts) > 0, True)
                columns = np.arange(first, last)[kept]
                lowest = np.minimum.reduceat(block, starts[kept], axis=0).min(axis=1)
                highest = np.maximum.reduceat(block, starts[kept], axis=0).max(axis=1)
                low[columns] = np.minimum(low[columns], lowest)
                high[columns] = np.maximum(high[columns], highest)
                position += len(block)
    except (soundfile.SoundFileError, OSError) as error:
        raise FileError(path, _("{path} cannot be read as audio.").format(path=path)) from error
    empty = np.isinf(low)
    low[empty] = high[empty] = 0.0
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
