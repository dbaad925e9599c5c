"""Sounds that the tests make themselves."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

Array = np.ndarray[Any, Any]


def tone(seconds: float = 1.0, rate: int = 44100, channels: int = 2, pitch: float = 440.0) -> Array:
    """A tone [frames, channels] at a quarter of full scale; each channel an octave higher."""
    time = np.arange(round(seconds * rate)) / rate
    return np.stack([0.25 * np.sin(2 * np.pi * pitch * 2**c * time) for c in range(channels)], axis=1)


def beat(bpm: float, seconds: float = 20.0, rate: int = 22050) -> Array:
    """Short noises at a tempo, [frames]."""
    samples = np.zeros(round(seconds * rate))
    burst = np.random.default_rng(0).normal(size=rate // 20) * np.exp(-np.arange(rate // 20) / 200)
    for start in np.arange(0, seconds - 0.1, 60 / bpm):
        place = round(start * rate)
        samples[place : place + len(burst)] += 0.3 * burst
    return samples


def write(path: Path, samples: Array, rate: int = 44100, **how: Any) -> Path:
    """A file by libsndfile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **how)
    return path


def write_av(path: Path, samples: Array, rate: int, container: str, codec: str) -> Path:
    """A file by FFmpeg's libraries."""
    import av

    with av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, layout="stereo" if samples.shape[1] == 2 else "mono")
        stream.bit_rate = 128_000
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T, np.float32), format="fltp", layout=stream.layout.name
        )
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, stream.layout, rate, frame_size=stream.frame_size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def midi(notes: list[tuple[int, int, int]], *, tempo: int = 500_000, extra: bytes = b"") -> bytes:
    """A MIDI file of (start tick, end tick, pitch) notes; 96 ticks a quarter."""
    events = [(start, 1, bytes([0x90, pitch, 100])) for start, _end, pitch in notes]
    events += [(end, 0, bytes([0x80, pitch, 0])) for _start, end, pitch in notes]
    track = b"\x00\xff\x51\x03" + struct.pack(">I", tempo)[1:] + extra
    now = 0
    for at, _order, message in sorted(events):
        track += variable(at - now) + message
        now = at
    track += b"\x00\xff\x2f\x00"
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96)
    return head + b"MTrk" + struct.pack(">I", len(track)) + track


def variable(number: int) -> bytes:
    """A number of MIDI's variable length."""
    data = [number & 0x7F]
    while number := number >> 7:
        data.append(number & 0x7F | 0x80)
    return bytes(reversed(data))


def module(rows: int = 64, *, speed: int = 6) -> bytes:
    """A four-channel MOD of one pattern: a square wave of 16 frames on C-2 at the first row."""
    sample = b"\x40" * 8 + b"\xc0" * 8
    head = b"song".ljust(20, b"\0")
    head += b"square".ljust(22, b"\0") + struct.pack(">HBBHH", len(sample) // 2, 0, 64, 0, len(sample) // 2)
    head += (bytes(22) + struct.pack(">HBBHH", 0, 0, 64, 0, 1)) * 30
    head += bytes([1, 127]) + bytes(128) + b"M.K."
    first = struct.pack(">HBB", 428, 0x1F, speed) + bytes(12)  # period of C-2, sample 1, effect F: speed
    pattern = bytearray(first + bytes(16 * 63))
    if rows < 64:
        pattern[16 * (rows - 1) + 6] = 0x0D  # break off
    return head + bytes(pattern) + sample
