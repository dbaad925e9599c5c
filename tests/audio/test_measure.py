"""Tempo, key and loudness against known answers."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
from scipy.signal import sosfilt

from assistant.audio.key import key_of_profile, pitch_classes
from assistant.audio.loudness import LoudnessMeter, _k_weighting
from assistant.audio.measure import Measurer
from assistant.audio.spectrum import HOP, WINDOW, spectrogram
from tests.made_sounds import beat, tone

RATE = 22050


def facts(samples: np.ndarray, rate: int = RATE) -> dict[str, object]:
    measurer = Measurer(rate, samples.shape[1], len(samples) / rate)
    for start in range(0, len(samples), 10_007):
        measurer.add(samples[start : start + 10_007].astype(np.float32))
    return {name: fact["value"] for name, fact in measurer.facts().items()}


@pytest.mark.parametrize("bpm", [72.0, 93.5, 120.0, 141.0])
def test_tempo_of_a_beat(bpm: float) -> None:
    found = facts(beat(bpm)[:, None])
    assert found["bpm"] == pytest.approx(bpm, abs=0.5)


@pytest.mark.parametrize(
    ("root", "third", "name"), [(60, 4, "C major"), (57, 3, "A minor"), (66, 4, "F sharp")]
)
def test_key_of_a_cadence(root: int, third: int, name: str) -> None:
    chords = [(0, third, 7), (5, 5 + third, 12), (7, 11, 14), (0, third, 7)] * 3
    time = np.arange(RATE) / RATE
    # 20 cents sharp of concert pitch, as old recordings are
    parts = [
        sum(
            np.sin(2 * np.pi * 440 * 2 ** ((root + step + 0.2 - 69) / 12) * harmonic * time) / harmonic
            for step in chord
            for harmonic in (1, 2, 3)
        )
        for chord in chords
    ]
    assert str(facts(0.05 * np.concatenate(parts)[:, None])["key"]).startswith(name)


def test_a_held_tone_has_no_tempo() -> None:
    found = facts(tone(10, RATE, 1))
    assert found["onsets"] == 0
    assert "bpm" not in found


@pytest.mark.parametrize("note", range(36, 48))  # C2 to B2: two semitones and more lie within one bin
def test_bass_notes_are_told_apart(note: int) -> None:
    time = np.arange(4 * RATE) / RATE
    sound = sum(np.sin(2 * np.pi * 440 * 2 ** ((n - 69) / 12) * time) for n in (note, note + 31))
    _magnitudes, tonal = spectrogram(np.asarray(sound, np.float32))
    assert set(np.argsort(pitch_classes(tonal))[-2:]) == {note % 12, (note + 7) % 12}


def test_one_transform_serves_all_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    import scipy.fft

    transformed = []
    rfft = scipy.fft.rfft

    def counted(frames: np.ndarray, **options: int) -> np.ndarray:
        transformed.append(len(frames))
        return np.asarray(rfft(frames, **options))

    monkeypatch.setattr(scipy.fft, "rfft", counted)
    measurer = Measurer(RATE, 1, 10.0)
    measurer.add(beat(120.0)[: 10 * RATE, None].astype(np.float32))
    measurer.fingerprint()
    assert {"bpm", "brightness", "onsets"} <= set(measurer.facts())
    assert sum(transformed) == (measurer.frames - WINDOW) // HOP + 1


def test_no_key_without_notes() -> None:
    assert key_of_profile(np.ones(12)) is None


def meter_of(samples: np.ndarray, rate: int, block: int = 7777) -> LoudnessMeter:
    meter = LoudnessMeter(rate, samples.shape[1])
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    return meter


def sine(pitch: float, level: float, seconds: float, rate: int = 48000) -> np.ndarray:
    """A tone of a level in dBFS (0 is the full scale of a sine), [frames]."""
    return 10 ** (level / 20) * np.sin(2 * np.pi * pitch * np.arange(round(rate * seconds)) / rate)


def test_loudness_agrees_with_another_meter() -> None:
    noise = (
        np.random.default_rng(0).normal(size=(48000 * 12, 2)) * np.linspace(0.01, 0.2, 48000 * 12)[:, None]
    )
    assert meter_of(noise, 48000, 777).integrated() == pytest.approx(
        pyloudnorm.Meter(48000).integrated_loudness(noise), abs=0.1
    )
    assert LoudnessMeter(48000, 2).integrated() is None


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_loudness_is_that_of_the_standard_at_any_rate(rate: int, channels: int) -> None:
    rng = np.random.default_rng(rate)
    time = np.arange(rate * 6) / rate
    reference = pyloudnorm.Meter(rate, filter_class="DeMan")  # of BS.1770 to the digit, for any rate
    sounds = {
        "noise": rng.normal(size=(len(time), channels)) * [0.1, 0.01][:channels],
        "bass drum": np.sin(2 * np.pi * 50 * time[:, None]) * np.exp(-12 * (time % 0.5))[:, None],
        "offset": 0.05 + 0.1 * rng.normal(size=(len(time), 1)),
        "steps": rng.normal(size=(len(time), 1)) * np.repeat([0.001, 0.1, 0.02], 2 * rate)[:, None],
    } | {
        f"{pitch} Hz": 0.3 * np.sin(2 * np.pi * pitch * time)[:, None] for pitch in (28, 45, 100, 1000, 3000)
    }
    for name, sound in sounds.items():
        sound = np.repeat(sound, channels // sound.shape[1], axis=1)
        found = meter_of(sound.astype(np.float32), rate).integrated()
        assert found == pytest.approx(reference.integrated_loudness(sound), abs=0.05), name


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        (1, [(-23, 10)]),
        (2, [(-33, 10)]),
        (3, [(-36, 5), (-23, 30), (-36, 5)]),
        (4, [(-72, 5), (-36, 5), (-23, 30), (-36, 5), (-72, 5)]),
        (5, [(-26, 20), (-20, 20.1), (-26, 20)]),
    ],
)
def test_loudness_of_the_standards_signals(case: int, parts: list[tuple[float, float]]) -> None:
    # EBU Tech 3341, table 1: a stereo 1 kHz sine in parts of a level in dBFS and seconds.
    tone = np.concatenate([sine(1000, level, seconds) for level, seconds in parts])
    found = meter_of(np.stack([tone, tone], axis=1), 48000).integrated()
    assert found == pytest.approx(-33 if case == 2 else -23, abs=0.1)


def test_loudness_needs_four_tenths_of_a_second() -> None:
    assert meter_of(sine(1000, -20, 0.39)[:, None], 48000).integrated() is None
    assert meter_of(sine(1000, -20, 0.4)[:, None], 48000).integrated() == pytest.approx(-23, abs=0.1)


def test_loudness_of_absurd_samples_is_not_told() -> None:
    meter = meter_of(1e30 * np.random.default_rng(0).normal(size=(48000, 2)), 48000)
    assert meter.integrated() is None


@pytest.mark.parametrize("block", [1, 63, 64, 1000, 4410, 1 << 16])
def test_loudness_is_that_of_the_filter_sample_by_sample(block: int) -> None:
    rate = 44100
    frames = 20_000 if block == 1 else 200_000
    noise = 0.2 * np.random.default_rng(1).normal(size=(frames, 2)).cumsum(axis=0).astype(np.float32)
    noise *= np.linspace(0, 0.1, frames, dtype=np.float32)[:, None]
    meter = LoudnessMeter(rate, 2)
    for start in range(0, frames, block):
        meter.add(noise[start : start + block])
    filtered = sosfilt(_k_weighting(rate), noise.astype(np.float64), axis=0)
    steps = (filtered**2).sum(axis=1)[: frames // 4410 * 4410].reshape(-1, 4410).mean(axis=1)
    np.testing.assert_allclose(meter._steps(), steps, rtol=1e-3)  # 0.004 dB
    meter.add(noise)  # to ask takes nothing away
    assert len(meter._steps()) == 2 * frames // 4410


def test_width() -> None:
    same = np.repeat(tone(4, channels=1), 2, axis=1)
    assert facts(same, 44100)["width"] == 0
    assert facts(np.random.default_rng(0).normal(size=(44100 * 4, 2)) * 0.1, 44100)["width"] == pytest.approx(
        0.5, abs=0.02
    )
