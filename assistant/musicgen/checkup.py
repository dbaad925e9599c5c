"""What in the music or its captions would spoil a fine-tune."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from assistant.audio.open import open_sound

ONE_SHOT_SECONDS = 2.0
_PIECES = 12
_PIECE_SECONDS = 0.5
_SILENT = 1e-3
_SILENT_SHARE = 0.5
_CEILING = 0.999
_CLIPPED_RUN = 4
"""So many samples at the ceiling in a row are clipping; a single one is a loud master."""
_CLIPPED_PER_SECOND = 5.0
_ALIKE_SHARE = 0.5


@dataclass(frozen=True)
class Looked:
    """What was found in one track."""

    silent: bool
    one_shot: bool
    clipped: bool


def look_at(path: Path) -> Looked | None:
    """Look at a few pieces of a WAV, spread over its length; None where it cannot be read.

    A MusicGen that starts a fine-tune at a loss of about 1 is given silence or single hits.
    """
    try:
        with open_sound(path) as file:
            length = round(_PIECE_SECONDS * file.samplerate)
            starts = np.linspace(0, max(0, file.frames - length), _PIECES).astype(int)
            silent = clipped = 0
            for start in dict.fromkeys(starts.tolist()):
                file.seek(start)
                piece = np.abs(file.read(length, np.float32, always_2d=True)).max(axis=1)
                silent += bool(piece.max(initial=0.0) < _SILENT)
                clipped += _clipped(piece >= _CEILING)
            seen = len(set(starts.tolist()))
            return Looked(
                silent=silent >= _SILENT_SHARE * seen,
                one_shot=file.frames < ONE_SHOT_SECONDS * file.samplerate,
                clipped=clipped > _CLIPPED_PER_SECOND * _PIECE_SECONDS * seen,
            )
    except (OSError, soundfile.SoundFileError):
        return None


def captions_alike(captions: Sequence[str | None]) -> bool:
    """Whether more than half of the tracks have the very same words."""
    if len(captions) < 4:
        return False
    most = Counter((text or "").casefold().strip() for text in captions).most_common(1)[0][1]
    return most > _ALIKE_SHARE * len(captions)


def _clipped(at_ceiling: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """How many runs of samples at the ceiling there are."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], at_ceiling, [False]]).astype(np.int8)))
    return int(((edges[1::2] - edges[::2]) >= _CLIPPED_RUN).sum())
