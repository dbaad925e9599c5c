"""Composed pieces as sound: they play through a soundfont without gaps, and the genres differ."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pretty_midi
import pytest
import symusic

from assistant.symbolic.compose import GENRES, compose
from assistant.symbolic.midi import encode

RATE = 22050
Samples = npt.NDArray[np.float32]


@cache
def synthesizer() -> Any:
    return symusic.Synthesizer(next(Path(pretty_midi.__file__).parent.glob("*.sf2")), RATE, 0)


@cache
def sound(genre: str, seed: int) -> Samples:
    score: Any = symusic.Score.from_midi(encode(compose(genre, seed).to_midi()))
    both: Samples = np.asarray(synthesizer().render(score, stereo=True), dtype=np.float32)
    mono: Samples = (both[0] + both[1]) / 2
    return mono


def spectrum(samples: Samples) -> npt.NDArray[np.float64]:
    """Mean energy in octave bands from 31 Hz, in decibels below the whole."""
    frames = samples[: len(samples) // 4096 * 4096].reshape(-1, 4096) * np.hanning(4096)
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0)
    edges = [round(31.25 * 2**octave * 4096 / RATE) for octave in range(9)]
    bands = [power[low:high].sum() for low, high in zip(edges, [*edges[1:], len(power)], strict=True)]
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.array(bands) / sum(bands) + 1e-9)
    return levels


@pytest.mark.parametrize("genre", GENRES)
def test_a_piece_sounds_from_beginning_to_end(genre: str) -> None:
    samples = sound(genre, 0)
    piece = compose(genre, 0)
    assert len(samples) / RATE > piece.seconds - 1.5
    assert np.isfinite(samples).all()
    loudness = np.sqrt(np.mean(samples**2))
    assert loudness > 0.02
    seconds = samples[: int(piece.seconds - 1) * RATE].reshape(-1, RATE)
    assert (np.sqrt(np.mean(seconds**2, axis=1)) > 0.1 * loudness).all()


def test_genres_differ_more_than_pieces_of_a_genre() -> None:
    features = np.array([[spectrum(sound(genre, seed)) for seed in range(4)] for genre in GENRES])
    within = np.mean(np.var(features, axis=1))
    between = np.mean(np.var(features.mean(axis=1), axis=0))
    # Apart, but not so far apart that telling them is trivial.
    assert between > 0.35 * within
    assert between < 10 * within
