"""What the fault scenarios share: a library of their own, songs, and looks at what came of them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from assistant.config import IntakeSettings, Settings
from assistant.intake.pipeline import run_once
from assistant.intake.retry import retry
from assistant.library.library import Library, create_library
from tests.made_sounds import tone, write

SETTINGS = Settings(intake=IntakeSettings(workers=2, quiet_seconds=0.1, reserve_mib=1))
_CONFIG = "[intake]\nworkers = 2\nquiet_seconds = 0.1\nscan_seconds = 2.0\nreserve_mib = 1\n"
_SECONDS = 4.0


@contextmanager
def made_library() -> Iterator[Library]:
    """An empty library that goes away again, with a configuration beside it for child processes."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        root = Path(folder)
        (root / "config.toml").write_text(_CONFIG)
        with create_library(root / "library", SETTINGS) as library:
            yield library


def song(path: Path, number: int, seconds: float = _SECONDS) -> Path:
    """A FLAC of its own content."""
    noise = 0.05 * np.random.default_rng(number).normal(size=(round(seconds * 44100), 2))
    return write(path, noise + tone(seconds, pitch=200 + number % 700))


def command(library: Library, *words: str) -> list[str]:
    """A call of the program on a library."""
    config = library.root.parent / "config.toml"
    return [
        sys.executable, "-m", "assistant.cli", "--config", str(config), "--library", str(library.root), *words
    ]  # fmt: skip


def whole(library: Library) -> tuple[int, int, int]:
    """Ready tracks with a whole WAV of the right length, WAVs that are torn, and temporaries left."""
    good = torn = 0
    for track in library.ledger.tracks():
        if track.state == "ready" and track.wav is not None:
            info = soundfile.info(library.root / track.wav)
            good += track.duration is not None and abs(info.duration - track.duration) < 0.001
    for path in library.root.glob("*/*.wav"):
        torn += not is_whole(path)
    return good, torn, len(list(library.root.rglob(".musichelper-*.tmp")))


def is_whole(path: Path, seconds: float = _SECONDS) -> bool:
    """Whether a WAV has all of its sound and says so."""
    try:
        info = soundfile.info(path)
    except soundfile.SoundFileError:
        return False
    needed = info.frames * info.channels * 2
    return bool(abs(info.duration - seconds) < 0.01 and path.stat().st_size >= needed)


def finish(library: Library) -> None:
    """Take in all that waits, as a person would who asks for it."""
    for _round in range(3):
        list(run_once(library))
        if not retry(library)[0] and not library.ledger.tracks(state="waiting"):
            return


def decoder_processes(parent: int) -> list[int]:
    """The decoder processes that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            if int(fields[1]) == parent and b"assistant.audio.decoder" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (OSError, IndexError):
            continue
    return found


def open_files(pid: int) -> list[str]:
    """What a process has open now."""
    found = []
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            found.append(str(link.readlink()))
    except OSError:
        pass
    return found


def send_signal(pid: int, number: int) -> bool:
    """Send a signal; whether there was a process to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
