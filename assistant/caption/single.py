"""The caption of one file that need not be in a library."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from assistant.audio.guard import Decoders
from assistant.caption.words import describe
from assistant.config import Settings


def describe_file(decoders: Decoders, path: Path, settings: Settings) -> dict[str, Any]:
    """Measure a music file and describe it; its genre is its folder, where that is a configured one.

    Gives `caption`, `genre`, `duration` in seconds, `tags` and the measured `facts`. Raises
    `FileError` for a file that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="musichelper-") as folder:
        converted = decoders.convert(path, Path(folder) / "track.wav")
    genre = path.parent.name if path.parent.name in settings.library.genres else None
    return {
        "caption": describe(converted.measured, genre, path.name),
        "genre": genre,
        "duration": converted.duration,
        "tags": converted.tags,
        "facts": converted.measured,
    }
