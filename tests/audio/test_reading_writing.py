"""Reading, writing, comments, outlines, tags and names."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from assistant.audio.formats import Content, is_source_name, sniff
from assistant.audio.loudness import LoudnessMeter
from assistant.audio.metadata import read_comment
from assistant.audio.mojibake import mend
from assistant.audio.peaks import peaks
from assistant.audio.read import read_audio
from assistant.audio.tags import clean, title_from_name
from assistant.audio.write import write_audio
from assistant.errors import CallError, FileError
from tests.made_sounds import tone, write


def test_read_part_resampled_mono(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", tone(3.0))
    samples, rate = read_audio(path, 32000, mono=True, start=1.0, duration=0.5)
    assert (samples.shape, rate) == ((1, 16000), 32000)
    assert samples.dtype == np.float32
    assert read_audio(path)[0].shape == (2, 132300)
    assert read_audio(path, start=10.0)[0].shape == (2, 0)
    (tmp_path / "bad.wav").write_bytes(b"no")
    with pytest.raises(FileError):
        read_audio(tmp_path / "bad.wav")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_write_with_loudness_and_comment(tmp_path: Path, suffix: str) -> None:
    comment = '{"prompt": "a jazz tune", "seed": 7, "filler": "' + "x" * 500 + '"}'
    samples = 0.02 * np.random.default_rng(0).normal(size=(1, 32000 * 4)).astype(np.float32)
    path = write_audio(tmp_path / f"clip{suffix}", samples, 32000, loudness=-20, comment=comment)
    assert read_comment(path) == comment
    read, rate = read_audio(path)
    meter = LoudnessMeter(rate, 1)
    meter.add(read.T)
    assert meter.integrated() == pytest.approx(-20, abs=0.7)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_peaks_are_limited_smoothly(tmp_path: Path) -> None:
    samples = tone(2.0, channels=1).T.astype(np.float32)
    samples[0, 40000] = 3.0
    read, _rate = read_audio(write_audio(tmp_path / "a.wav", samples, 44100, loudness=None))
    assert np.abs(read).max() <= 10 ** (-1 / 20) + 1e-4
    assert np.abs(read[0, :30000] - samples[0, :30000]).max() < 1e-4
    with pytest.raises(CallError):
        write_audio(tmp_path / "a.xyz", samples, 44100)


def test_peaks_of_a_long_file_in_little_memory(tmp_path: Path) -> None:
    samples = np.zeros((44100 * 60, 1), np.float32)
    samples[44100 * 30] = 0.5
    path = write(tmp_path / "a.wav", samples)
    tracemalloc.start()
    outline = peaks(path, 60)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    assert len(outline) == 60
    assert outline[30][1] == pytest.approx(0.5, abs=0.001)
    assert outline[10] == (0.0, 0.0)
    assert peaks(write(tmp_path / "b.wav", np.ones((3, 1)) * 0.5), 6)[0][1] == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize("encoding", ["big5", "gbk", "shift_jis", "utf-8"])
def test_misread_names_are_mended(encoding: str) -> None:
    meant = {"big5": "月亮代表我的心", "gbk": "月亮代表我的心", "shift_jis": "さくらのうた", "utf-8": "晚安"}[
        encoding
    ]
    assert mend(meant.encode(encoding).decode("latin-1")) == meant


@pytest.mark.parametrize(
    "name", ["Björk", "Gran día", "Café del Mar", "Motörhead", "Sigur Rós", "晚安", "ABC"]
)
def test_right_names_are_left_alone(name: str) -> None:
    assert mend(name) == name


def test_clean_and_titles() -> None:
    assert clean("a\x00b\u202e c\n d\ud800") == "ab c d"
    assert len(clean("x" * 1000)) == 200
    assert title_from_name("01 - My_Song.mp3") == "My_Song"
    assert title_from_name("07_blue_moon.mp3") == "blue moon"
    assert title_from_name("99.mp3") == "99"
    assert title_from_name("caf\udce9.mp3") == "café"
    assert title_from_name("a\udcff\udc81b.mp3") == "a??b"


def test_names_and_contents() -> None:
    assert all(map(is_source_name, ["a.mp3", "A.WAV", "x.mid", "song.xm", "b.m4a"]))
    assert not any(
        map(
            is_source_name,
            [
                ".a.mp3",
                "~a.mp3",
                "a.mp3.part",
                "a.crdownload",
                "a.txt",
                "mp3",
                ".musichelper-1-ab.tmp",
                "._a.wav",
            ],
        )
    )
    assert sniff(b"MThd\0") is Content.MIDI
    assert sniff(b"RIFF\0\0\0\0WAVE") is Content.WAV
    assert sniff(b"#EXTM3U\n") is Content.PLAYLIST
    assert sniff(b"hello there, this is text\n") is Content.TEXT
