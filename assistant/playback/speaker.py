"""The process that plays one file through simpleaudio: `python -m assistant.playback.speaker FILE START`.

simpleaudio frees memory without holding the interpreter's lock, which crashes Python 3.12 unless
`PYTHONMALLOC=malloc`; ALSA prints on the terminal; and a sound cannot be stopped at once. A
process of its own is the answer to all three. It says one JSON line: that it began, or why not.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000)
_BLOCK_SECONDS = 20 * 60
"""What is held in memory at once; a longer file is played in pieces."""
_PARENT_SECONDS = 0.5


class Unplayable(Exception):
    """The file cannot be read."""


@dataclass(frozen=True)
class Block:
    """Interleaved 16-bit samples."""

    data: bytes
    channels: int
    rate: int
    duration: float
    """Seconds of the whole file."""


def blocks(path: Path, start: float) -> Iterator[Block]:
    """The file from `start` seconds on, in at most two channels at a rate that simpleaudio takes.

    Raises `Unplayable`.
    """
    yield from _plain_blocks(path, start) or _other_blocks(path, start)


def _plain_blocks(path: Path, start: float) -> Iterator[Block] | None:
    """A WAV that needs no change, read without numpy: the sound begins sooner."""
    try:
        file = wave.open(os.fspath(path), "rb")  # noqa: SIM115 - closed by the generator
    except (OSError, EOFError, wave.Error):
        return None
    if file.getsampwidth() != 2 or file.getnchannels() > 2 or file.getframerate() not in RATES:
        file.close()
        return None

    def read() -> Iterator[Block]:
        with file:
            rate, frames = file.getframerate(), file.getnframes()
            file.setpos(min(frames, int(start * rate)))
            while data := file.readframes(_BLOCK_SECONDS * rate):
                yield Block(data, file.getnchannels(), rate, frames / rate)

    return read()


def _other_blocks(path: Path, start: float) -> Iterator[Block]:
    import numpy
    import soundfile
    import soxr

    from assistant.audio.open import open_sound

    try:
        with open_sound(path) as file:
            source_rate, duration = file.samplerate, file.frames / file.samplerate
            rate = source_rate
            if rate not in RATES:
                rate = 44100 if source_rate % 11025 == 0 else 48000
            file.seek(min(file.frames, int(start * source_rate)))
            while len(samples := file.read(_BLOCK_SECONDS * source_rate, dtype="float32", always_2d=True)):
                if samples.shape[1] > 2:
                    samples = samples.mean(axis=1, keepdims=True)
                if rate != source_rate:
                    samples = soxr.resample(samples, source_rate, rate)
                whole = numpy.round(numpy.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
                yield Block(whole.tobytes(), whole.shape[1], rate, duration)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise Unplayable(str(error)) from error


def main(arguments: list[str]) -> int:
    """Play a file; 0 when it was played to its end."""
    path, start = Path(arguments[0]), float(arguments[1])
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        import simpleaudio
    except Exception as error:  # absent, or built for another Python
        return _say(error="simpleaudio", detail=str(error))
    begun = False
    try:
        for block in blocks(path, start):
            sound = simpleaudio.play_buffer(block.data, block.channels, 2, block.rate)
            if not begun:
                _say(playing=True, duration=block.duration)
                begun = True
            sound.wait_done()
    except Unplayable as error:
        return _say(error="file", detail=str(error))
    except Exception as error:  # simpleaudio's own error has no common base
        return _say(error="device", detail=str(error))
    return 0 if begun else _say(playing=True, duration=0.0) and 0


def _say(**message: object) -> int:
    print(json.dumps(message), flush=True)
    return 1


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
