"""The process that plays one file: `python -m assistant.playback.speaker FILE START [--gain=DB] [--loop]`
`[--sink=simpleaudio|pacat]`.

simpleaudio frees memory without holding the interpreter's lock, which crashes Python 3.12 unless
`PYTHONMALLOC=malloc`; ALSA prints on the terminal; and a sound cannot be stopped at once. A
process of its own is the answer to all three. It says one JSON line: that it began, or why not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000)
_BLOCK_SECONDS = 20 * 60
"""What is held in memory at once; a longer file is played in pieces."""
_LOOPED_SECONDS = 60.0
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


class Sink(Protocol):
    """Takes the blocks of a file, which are all of one kind, and returns when they are nearly heard."""

    def play(self, block: Block) -> None:
        """Take the next block."""

    def close(self) -> None:
        """Wait until all is heard. Raises what went wrong."""


class SimpleAudio:
    """The machine's own device. Raises `ImportError` where simpleaudio is not to be had."""

    def __init__(self) -> None:
        try:
            import simpleaudio
        except Exception as error:
            raise ImportError(str(error)) from error
        self._simpleaudio = simpleaudio

    def play(self, block: Block) -> None:
        """Play it to its end."""
        self._simpleaudio.play_buffer(block.data, block.channels, 2, block.rate).wait_done()

    def close(self) -> None:
        """Nothing is left to be heard."""


class Pacat:
    """PulseAudio's client, which takes samples as they come."""

    def __init__(self, first: Block) -> None:
        self._process = subprocess.Popen(
            [
                "pacat",
                "--playback",
                "--raw",
                "--format=s16le",
                f"--rate={first.rate}",
                f"--channels={first.channels}",
                "--latency-msec=100",
                "--client-name=musichelper",
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def play(self, block: Block) -> None:
        """Hand it over."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(block.data)
            self._process.stdin.flush()
        except BrokenPipeError:
            self.close()

    def close(self) -> None:
        """Wait until the server has played all. Raises `OSError` with what the client said."""
        said = self._process.communicate()[1].decode("utf-8", "replace").strip()
        if self._process.returncode:
            raise OSError(said or f"pacat: {self._process.returncode}")


def main(arguments: list[str]) -> int:
    """Play a file; 0 when it was played to its end."""
    path, start = Path(arguments[0]), float(arguments[1])
    options = dict(word.removeprefix("--").partition("=")[::2] for word in arguments[2:])
    gain, loop = float(options.get("gain", 0.0)), "loop" in options
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    sink: Sink | None = None
    try:
        while True:
            for block in blocks(path, start):
                if sink is None:
                    sink = Pacat(block) if options.get("sink") == "pacat" else SimpleAudio()
                    _say(playing=True, duration=block.duration)
                sink.play(_changed(block, gain, loop))
            if not loop or (sink is None and start == 0.0):
                break
            start = 0.0
        if sink is None:
            _say(playing=True, duration=0.0)
        else:
            sink.close()
    except Unplayable as error:
        return _say(error="file", detail=str(error))
    except ImportError as error:  # absent, or built for another Python
        return _say(error="simpleaudio", detail=str(error))
    except Exception as error:  # simpleaudio's own error has no common base
        return _say(error="device", detail=str(error))
    return 0


def _changed(block: Block, gain: float, loop: bool) -> Block:
    """At another level; and a short file several times over, so that its loop has few joints."""
    data = block.data
    if gain:
        import numpy

        samples = numpy.frombuffer(data, "<i2") * 10 ** (gain / 20)
        data = numpy.clip(numpy.round(samples), -32768, 32767).astype("<i2").tobytes()
    seconds = len(data) / (2 * block.channels * block.rate)
    if loop and 0 < seconds < _LOOPED_SECONDS and seconds >= block.duration - 0.01:
        data *= int(_LOOPED_SECONDS / seconds)
    return replace(block, data=data)


def _say(**message: object) -> int:
    print(json.dumps(message), flush=True)
    return 1


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
