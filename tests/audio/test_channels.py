"""Surround to stereo: each channel lands on the side of its loudspeaker, whatever the codec's order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from assistant.audio.channels import mixing
from assistant.audio.guard import Decoders
from assistant.config import IntakeSettings
from tests.made_sounds import write

RATE = 48000
LAYOUTS = {
    "3.0": ["FL", "FR", "FC"],
    "quad": ["FL", "FR", "BL", "BR"],
    "5.0": ["FL", "FR", "FC", "BL", "BR"],
    "5.1": ["FL", "FR", "FC", "LFE", "BL", "BR"],
    "7.1": ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"],
}
NOT_WRITTEN = {("7.1", "aac"), ("quad", "aac")}  # by the encoder at hand
PITCHES = [300, 500, 700, 900, 1100, 1300, 1500, 1700]


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(IntakeSettings(workers=1)) as decoders:
        yield decoders


VORBIS = {  # the orders of the Vorbis I specification, section 4.3.9, which Opus shares
    "3.0": ["FL", "FC", "FR"],
    "quad": ["FL", "FR", "BL", "BR"],
    "5.0": ["FL", "FC", "FR", "BL", "BR"],
    "5.1": ["FL", "FC", "FR", "BL", "BR", "LFE"],
    "7.1": ["FL", "FC", "FR", "SL", "SR", "BL", "BR", "LFE"],
}


def write_surround(path: Path, layout: str, kind: str) -> None:
    """A tone of its own in each channel."""
    time = np.arange(RATE // 2) / RATE
    tones = {
        name: 0.2 * np.sin(2 * np.pi * pitch * time)
        for name, pitch in zip(LAYOUTS[layout], PITCHES, strict=False)
    }
    if kind == "aac":
        write_aac(path, layout, np.stack([tones[name] for name in LAYOUTS[layout]]))
        return
    order = VORBIS if kind in ("vorbis", "opus") else LAYOUTS
    samples = np.stack([tones[name] for name in order[layout]], axis=1)
    write(path, samples, RATE, **HOW[kind])


def write_aac(path: Path, layout: str, samples: np.ndarray) -> None:
    import av

    with av.open(str(path), "w", format="adts") as file:
        stream: Any = file.add_stream("aac", rate=RATE, layout=layout)
        stream.bit_rate = 64_000 * len(samples)
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32), format="fltp", layout=layout)
        frame.sample_rate = RATE
        resampler = av.AudioResampler(
            stream.format, stream.layout, RATE, frame_size=stream.codec_context.frame_size
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))


HOW: dict[str, dict[str, str]] = {
    "wav": {"format": "WAV", "subtype": "PCM_16"},
    "wavex": {"format": "WAVEX", "subtype": "PCM_24"},
    "float": {"format": "WAV", "subtype": "FLOAT"},
    "flac": {"format": "FLAC"},
    "vorbis": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
}
CASES = [(layout, kind) for layout in LAYOUTS for kind in (*HOW, "aac") if (layout, kind) not in NOT_WRITTEN]


@pytest.mark.parametrize(("layout", "kind"), CASES)
def test_each_channel_lands_on_its_side(decoders: Decoders, tmp_path: Path, layout: str, kind: str) -> None:
    source = tmp_path / "a.bin"
    write_surround(source, layout, kind)
    converted = decoders.convert(source, tmp_path / "out.wav")
    assert converted.channels == len(LAYOUTS[layout])
    samples, rate = soundfile.read(tmp_path / "out.wav", always_2d=True)
    middle = samples[rate // 4 : rate * 3 // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))[:, None], axis=0)) / len(middle)
    expected = (
        mixing(LAYOUTS[layout]) * 0.2 / 4
    )  # a quarter of the amplitude: half by rfft, half by the window
    for number, name in enumerate(LAYOUTS[layout]):
        place = round(PITCHES[number] * len(middle) / rate)
        level = spectrum[place - 3 : place + 4].max(axis=0)
        if name == "LFE":
            assert level.max() < 0.004
        else:
            assert level == pytest.approx(expected[number], rel=0.2, abs=0.002), name


def test_mixing_never_clips_and_takes_any_number() -> None:
    for count in range(3, 30):
        matrix = mixing(["NONE"] * count)
        assert matrix.shape == (count, 2)
        assert matrix.sum(axis=0).max() == pytest.approx(1.0)
