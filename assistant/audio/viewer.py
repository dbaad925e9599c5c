"""The process that looks at sounds for a screen: `python -m assistant.audio.viewer`, see `workers`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assistant.audio.loudness import LoudnessMeter
from assistant.audio.mel import to_mel
from assistant.audio.read import read_audio
from assistant.workers import Emit, Message, serve

RATE = 16000
WINDOW = 1024
DYNAMIC_RANGE = 70.0
"""Decibels between black and the loudest."""


def mel_picture(path: Path, width: int, bands: int) -> list[bytes]:
    """A log-mel picture of a file: for each of `width` equal parts one byte a band, lowest band first.

    255 is the loudest of the picture, 0 is `DYNAMIC_RANGE` below it or less. Raises `FileError`.
    """
    samples, _rate = read_audio(path, rate=RATE, mono=True)
    sound = np.pad(samples[0], (0, max(0, WINDOW - samples.shape[1])))
    hop = max(WINDOW // 4, (len(sound) - WINDOW) // max(1, 4 * width))
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)) ** 2
    mel = to_mel(power.astype(np.float32), RATE, WINDOW, bands)
    edges = np.arange(width) * len(mel) // width
    columns = np.maximum.reduceat(mel, np.minimum(edges, len(mel) - 1), axis=0)
    decibels = 10 * np.log10(np.maximum(columns, 1e-10))
    share = 1 + (decibels - decibels.max()) / DYNAMIC_RANGE
    levels = np.round(np.clip(share, 0, 1) * 255).astype(np.uint8)
    if not np.any(sound):
        levels[:] = 0
    return [column.tobytes() for column in levels]


def picture(request: Message, _emit: Emit) -> Message:
    """`mel_picture` as hexadecimal columns."""
    columns = mel_picture(Path(request["path"]), request["width"], request["bands"])
    return {"columns": [column.hex() for column in columns]}


def loudness(request: Message, _emit: Emit) -> Message:
    """The integrated loudness of files in LUFS, and their peaks in dBFS; null where there is none."""
    found = []
    for name in request["paths"]:
        samples, rate = read_audio(Path(name))
        samples = samples[:2]
        meter = LoudnessMeter(rate, len(samples))
        meter.add(samples.T)
        peak = 20 * float(np.log10(meter.peak)) if meter.peak > 0 else None
        found.append({"lufs": meter.integrated(), "peak": peak})
    return {"found": found}


if __name__ == "__main__":
    serve({"picture": picture, "loudness": loudness})
