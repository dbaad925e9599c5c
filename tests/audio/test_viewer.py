"""The pictures and the loudness that a screen asks for, from the process that makes them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy
import pyloudnorm
import pytest
import soundfile

from assistant.audio.viewer import mel_picture
from assistant.workers import ReportedError, Worker


def write(path: Path, samples: numpy.ndarray, rate: int = 32000) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_a_rising_tone_rises_in_the_picture(tmp_path: Path) -> None:
    moments = numpy.arange(4 * 32000) / 32000
    sweep = 0.5 * numpy.sin(2 * numpy.pi * (200 * moments + (3000 - 200) / 8 * moments**2))
    columns = mel_picture(write(tmp_path / "sweep.wav", sweep), 40, 32)
    assert [len(column) for column in columns] == [32] * 40
    loudest = [column.index(max(column)) for column in columns]
    assert loudest[0] < 8
    assert loudest[-1] > 18
    assert all(b >= a - 1 for a, b in itertools.pairwise(loudest))
    assert max(map(max, columns)) == 255


def test_silence_is_black_and_short_sounds_have_a_picture(tmp_path: Path) -> None:
    assert set(b"".join(mel_picture(write(tmp_path / "s.wav", numpy.zeros(32000)), 10, 8))) == {0}
    assert len(mel_picture(write(tmp_path / "short.wav", numpy.ones(10) / 2), 10, 8)) == 10


def test_the_process_answers_and_explains(tmp_path: Path) -> None:
    noise = 0.1 * numpy.random.default_rng(0).standard_normal((64000, 2))
    path = write(tmp_path / "noise.wav", noise)
    with Worker("assistant.audio.viewer") as worker:
        picture = worker.call("picture", {"path": str(path), "width": 12, "bands": 8})
        assert [len(bytes.fromhex(column)) for column in picture["columns"]] == [8] * 12
        (found,) = worker.call("loudness", {"paths": [str(path)]})["found"]
        expected = pyloudnorm.Meter(32000).integrated_loudness(noise)
        assert found["lufs"] == pytest.approx(expected, abs=0.1)
        with pytest.raises(ReportedError, match="cannot be read as audio"):
            worker.call("loudness", {"paths": [str(tmp_path / "absent.wav")]})
