"""The caption of one file that need not be in a library."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from assistant.audio.guard import Decoders
from assistant.audio.tags import title_from_name
from assistant.caption.captioner import write_words
from assistant.caption.words import Known
from assistant.config import Settings


def describe_file(decoders: Decoders, path: Path, settings: Settings) -> dict[str, Any]:
    """Measure a music file and describe it; its genre is its folder, where that is a configured one.

    Gives `caption`, `problem` (why the configured captioner did not write it), `genre`, `duration` in
    seconds, `tags` and the measured `facts`. Raises `FileError` for a file that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="musichelper-") as folder:
        converted = decoders.convert(path, Path(folder) / "track.wav")
    genre = path.parent.name if path.parent.name in settings.library.genres else None
    tags = converted.tags
    known = Known(
        facts=converted.measured,
        genre=genre,
        title=tags.get("title") or title_from_name(path.name),
        artist=tags.get("artist", ""),
        album=tags.get("album", ""),
        duration=converted.duration,
        tags=tags,
        content=path.name,
    )
    caption = write_words(known, settings.caption)
    return {
        "caption": caption.text,
        **({"problem": caption.problem} if caption.problem else {}),
        "genre": genre,
        "duration": converted.duration,
        "tags": tags,
        "facts": converted.measured,
    }
