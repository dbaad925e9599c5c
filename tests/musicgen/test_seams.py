from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from assistant.musicgen.preview import Preview
from assistant.musicgen.seams import loop, loop_tail, splice

RATE = 16_000


def beats(seconds: float, every: float) -> np.ndarray[Any, Any]:
    """Struck tones `[1, samples]`, one each `every` seconds, the fourth of four higher."""
    time = np.arange(round(seconds * RATE)) / RATE
    since = time % every
    pitch = np.where((time // every) % 4 == 3, 660.0, 330.0)
    return (0.5 * np.exp(-12 * since) * np.sin(2 * np.pi * pitch * since))[None].astype(np.float32)


@pytest.mark.parametrize(("every", "wanted"), [(0.5, 7.8), (0.4, 8.3), (0.45, 3.5)])
def test_a_loop_is_whole_beats_long(every: float, wanted: float) -> None:
    audio = beats(wanted + loop_tail(wanted), every)
    piece = loop(audio, RATE, wanted)
    length = piece.shape[1] / RATE
    assert abs(length - wanted) <= 1.0
    assert min(length % every, every - length % every) < 0.011


def test_a_loop_goes_on_as_it_was_made() -> None:
    audio = np.random.default_rng(1).normal(size=(2, 6 * RATE)).astype(np.float32) * 0.1
    piece = loop(audio, RATE, 4.0)
    end = piece.shape[1]
    assert np.allclose(piece[:, 0], audio[:, end], atol=1e-4)
    assert np.array_equal(piece[:, RATE:], audio[:, RATE:end])
    # Two strangers faded into one another keep their level.
    assert np.sqrt(np.square(piece[:, : RATE // 12]).mean()) == pytest.approx(0.1, rel=0.1)


def test_silence_is_a_loop_too() -> None:
    piece = loop(np.zeros((1, 6 * RATE), np.float32), RATE, 4.0)
    assert piece.shape == (1, 4 * RATE)


def test_a_splice_keeps_the_file() -> None:
    kept, new = np.ones((1, 100), np.float32), np.full((1, 80), 3.0, np.float32)
    joined = splice(kept, new, heard=40, fade=10)
    assert joined.shape == (1, 140)
    assert np.array_equal(joined[:, :90], kept[:, :90])
    assert np.all(np.diff(joined[0, 89:101]) >= 0)
    assert np.array_equal(joined[:, 100:], new[:, 40:])


def test_a_preview_can_be_read_while_it_grows(tmp_path: Path) -> None:
    preview = Preview(tmp_path / "folder" / "p.wav", RATE, 2)
    sound = np.concatenate([beats(1.0, 0.25)] * 2)
    for number in (1, 2):
        preview.add(sound * 3)
        samples, rate = soundfile.read(preview.path)
        assert (samples.shape, rate) == ((number * RATE, 2), RATE)
        assert preview.seconds == number
    assert np.abs(samples).max() <= 1.0
    preview.remove()
    assert not preview.path.exists()
    preview.remove()
