"""Loudness and true peak of written clips, measured by pyloudnorm and by ffmpeg's own meter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyloudnorm
import pytest
import soundfile

from assistant.audio.metadata import read_comment
from assistant.audio.read import read_audio
from assistant.audio.truepeak import limited, true_peak
from assistant.audio.write import mastered, write_audio

RATE = 32_000
TOLERANCE = 0.2
"""dB that EBU Tech 3341 allows a meter of true peaks to read too high."""


def drums(seconds: float = 6.0) -> np.ndarray[Any, Any]:
    """Quiet chords under loud hits: far more crest than -14 LUFS leaves room for. `[1, samples]`."""
    time = np.arange(int(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * f * time) for f in (220.0, 277.2, 329.6)) * 0.05
    noise = np.random.default_rng(0).standard_normal(len(time))
    hits = noise * np.exp(-60 * (time * 2 % 1.0)) * 0.9
    return (chord + hits).astype(np.float32)[None]


def between_samples(phase: float = np.pi / 4) -> np.ndarray[Any, Any]:
    """A tone of a quarter of the rate whose samples all miss its crests by 3 dB (EBU Tech 3341, test 15)."""
    fades = np.minimum(1.0, np.minimum(np.arange(RATE), np.arange(RATE)[::-1]) / 1000)
    return (0.5 * fades * np.sin(np.arange(RATE) * np.pi / 2 + phase)).astype(np.float32)[None]


def ffmpeg_true_peak(path: Path) -> float:
    """dBTP by libavfilter's ebur128."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        graph = av.filter.Graph()
        source = graph.add_abuffer(template=stream)
        meter = graph.add("ebur128", "peak=true:metadata=1")
        sink = graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        peak = -np.inf
        for frame in [*container.decode(stream), None]:
            source.push(frame)
            while True:
                try:
                    out = sink.pull()
                except (av.BlockingIOError, av.EOFError):
                    break
                peaks = [float(value) for name, value in out.metadata.items() if "true_peaks_ch" in name]
                peak = max([peak, *peaks])
    return 20 * float(np.log10(peak))


def loudness(path: Path) -> float:
    samples, rate = soundfile.read(path)
    return float(pyloudnorm.Meter(rate).integrated_loudness(samples))


def test_a_peak_between_the_samples_is_seen() -> None:
    assert true_peak(between_samples()) == pytest.approx(20 * np.log10(0.5), abs=0.2)
    assert true_peak(np.zeros((2, 1000), np.float32)) == -np.inf
    quiet = between_samples() * 0.1
    assert limited(quiet, RATE, -1.0) is quiet


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_loudness_and_true_peak_of_each_kind_of_file(tmp_path: Path, suffix: str) -> None:
    path = write_audio(tmp_path / f"a{suffix}", drums(), RATE, loudness=-18.0)
    assert loudness(path) == pytest.approx(-18.0, abs=0.4)
    assert ffmpeg_true_peak(path) <= -1.0 + TOLERANCE
    path = write_audio(tmp_path / f"b{suffix}", between_samples() * 3, RATE, loudness=None, ceiling=-3.0)
    assert ffmpeg_true_peak(path) == pytest.approx(-3.0, abs=0.3)


@pytest.mark.parametrize("suffix", [".ogg", ".mp3"])
def test_what_an_encoder_leaves_out_is_made_up_for(tmp_path: Path, suffix: str) -> None:
    hiss = np.diff(np.random.default_rng(1).standard_normal(3 * RATE), n=3).astype(np.float32)[None]
    path = write_audio(tmp_path / f"a{suffix}", hiss * 0.01, RATE, loudness=-24.0)
    assert loudness(path) == pytest.approx(-24.0, abs=0.2)


def test_the_level_can_be_left_alone(tmp_path: Path) -> None:
    samples = between_samples() * 0.1
    read, _rate = read_audio(write_audio(tmp_path / "a.wav", samples, RATE, loudness=None))
    assert np.abs(read - samples).max() < 1e-4


def test_what_cannot_be_levelled_stays() -> None:
    silence = np.zeros((1, RATE), np.float32)
    assert np.array_equal(mastered(silence, RATE, -14.0, -1.0), silence)
    short = between_samples()[:, :1000] * 0.1
    assert np.array_equal(mastered(short, RATE, -14.0, -1.0), short)


def test_real_music_at_its_loudness(tmp_path: Path, shared_data: Path) -> None:
    pieces = sorted((shared_data / "genres").glob("*/*.*"))[:3]
    for piece in pieces:
        samples, rate = read_audio(piece, RATE, duration=10.0)
        path = write_audio(tmp_path / "a.wav", samples, rate, loudness=-14.0)
        assert loudness(path) == pytest.approx(-14.0, abs=0.3)
        assert ffmpeg_true_peak(path) <= -1.0 + TOLERANCE


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("length", [10, 5_000, 200_000])
def test_a_comment_of_any_length_and_script(tmp_path: Path, suffix: str, length: int) -> None:
    comment = json.dumps({"prompt": "慢板藍調、é" + "字" * length}, ensure_ascii=suffix == ".mp3")
    samples = between_samples()
    path = write_audio(
        tmp_path / f"a{suffix}", samples, RATE, comment=comment, title="慢板\n藍調", program="p 1"
    )
    assert read_comment(path) == comment
    assert soundfile.read(path)[0].shape == (RATE,)
    with av.open(str(path)) as container:
        found = {**container.metadata, **container.streams.audio[0].metadata}
    assert suffix == ".mp3" or "慢板 藍調" in found.values()
