"""The built-in small model: a codec trained on the library's own tracks, and a language model to be."""

from __future__ import annotations

import os
from pathlib import Path

from assistant.library.library import Library
from assistant.workers import Emit

CODEC_SECONDS = 75.0


def build_small_model(
    library: Library, *, codec_seconds: float = CODEC_SECONDS, on_event: Emit | None = None
) -> Path:
    """Train the small EnCodec on the ready tracks and write it with a fresh language model.

    It takes `codec_seconds` and a little more, in a process of its own; `on_event` gets
    {"event": "codec", "done", "total", "loss"} in seconds. A small model that is there already is
    replaced. Raises `MusicHelperError` where the library has no ready track.
    """
    from assistant.musicgen.client import heavy_worker

    with heavy_worker() as worker:
        answer = worker.call(
            "small",
            {
                "library": os.fsdecode(library.root),
                "seconds": codec_seconds,
                "seed": library.settings.musicgen.seed,
            },
            on_event=on_event,
        )
    return Path(answer["folder"])
