"""Tracks of a few seconds, each genre with a sound of its own."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile

from assistant.classify.report import Report
from assistant.config import Settings
from assistant.library.library import Library

TrainedHead = tuple[Library, Report, list[dict[str, Any]]]

RATE = 22_050
SECONDS = 4.0


def sound(genre: str, number: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Noise for rock, low chords for jazz, high ones for pop: no two alike, the kinds far apart."""
    random = np.random.default_rng([number, sum(genre.encode())])
    time = np.arange(round(SECONDS * RATE)) / RATE
    if genre == "rock":
        return random.normal(0, 0.1, len(time)).astype(np.float32)
    lowest = 110 if genre == "jazz" else 2_500
    tones = [np.sin(2 * np.pi * lowest * random.uniform(1, 2) * time) for _tone in range(3)]
    return np.asarray(0.1 * np.sum(tones, axis=0), dtype=np.float32)


def add(library: Library, name: str, samples: np.ndarray[Any, Any]) -> int:
    path = library.root / name
    soundfile.write(path, samples, RATE)
    content = blake2b(path.read_bytes(), digest_size=16).hexdigest()
    track = library.ledger.add_track(Path(name), content, path.stat().st_size, path.stat().st_mtime_ns)
    library.ledger.update_track(track.id, state="ready", wav=Path(name), duration=SECONDS)
    return track.id


def settings(**changes: Any) -> Settings:
    base = Settings()
    return msgspec.structs.replace(base, classifier=msgspec.structs.replace(base.classifier, **changes))
