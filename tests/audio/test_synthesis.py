"""MIDI through the soundfont: in tune, in time, with dynamics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant.audio.render import find_soundfont, open_midi
from assistant.audio.soundfont import SoundFont
from assistant.audio.synthesizer import RATE, Mix, Note, Synthesizer
from assistant.errors import MusicHelperError
from tests.made_sounds import midi, variable


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return Synthesizer(SoundFont(find_soundfont("")))


def play(
    synthesizer: Synthesizer, key: int, program: int = 0, velocity: int = 100, **how: object
) -> np.ndarray:
    note = Note(0, RATE, program, False, key, velocity, 1.0, 0.0, **how)  # type: ignore[arg-type]
    return sound_of(synthesizer, note)


def sound_of(synthesizer: Synthesizer, note: Note) -> np.ndarray:
    mix = Mix(5 * RATE)
    synthesizer.add(note, mix, 0)
    return mix.stereo(5 * RATE)


def cents_off(samples: np.ndarray, key: float) -> float:
    """How far the strongest partial near a key's pitch is from it."""
    wanted = 440 * 2 ** ((key - 69) / 12)
    size = 1 << 19
    spectrum = np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples)), size))
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    near = (frequencies > wanted * 0.92) & (frequencies < wanted * 1.08)
    assert spectrum[near].max() > 0.01 * spectrum.max()
    return float(1200 * np.log2(frequencies[near][spectrum[near].argmax()] / wanted))


@pytest.mark.parametrize("program", [0, 24, 33, 40, 56, 73])
@pytest.mark.parametrize("key", [48, 61, 72])
def test_notes_are_in_tune(synthesizer: Synthesizer, program: int, key: int) -> None:
    assert abs(cents_off(play(synthesizer, key, program), key)) < 16


def test_velocity_pan_and_release(synthesizer: Synthesizer) -> None:
    loud, soft = (np.abs(play(synthesizer, 60, velocity=v)).max() for v in (120, 40))
    assert loud > 4 * soft > 0
    left = Note(0, RATE, 40, False, 60, 100, 1.0, -0.5)
    sound = sound_of(synthesizer, left)
    assert np.abs(sound[:, 0]).max() > 100 * np.abs(sound[:, 1]).max()
    assert len(sound) > RATE
    assert np.abs(sound[-100:]).max() < 0.01 * np.abs(sound).max()


def test_pitch_bend(synthesizer: Synthesizer) -> None:
    bent = play(synthesizer, 60, 40, bend=(np.array([0]), np.array([2.0])))
    assert abs(cents_off(bent, 62)) < 16


def test_chunks_make_no_seam(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    # A long organ note over the boundary at 30 s; program 19.
    path.write_bytes(midi([(0, 96 * 70, 60)], extra=b"\x00\xc0\x13"))
    sound, _facts = open_midi(path, "", 600)
    samples = np.concatenate(list(sound.blocks()))
    assert len(samples) == pytest.approx(37 * RATE, abs=RATE // 10)
    jumps = np.abs(np.diff(samples[:, 0]))
    assert jumps[30 * RATE - 3 : 30 * RATE + 3].max() <= jumps[29 * RATE : 29 * RATE + 5000].max()


def test_pedal_volume_and_meter(tmp_path: Path) -> None:
    def loudest(extra: bytes, start: float) -> float:
        path = tmp_path / "a.mid"
        path.write_bytes(midi([(0, 24, 60), (960, 984, 67)], extra=extra))
        sound, _facts = open_midi(path, "", 600)
        samples = np.concatenate(list(sound.blocks()))
        return float(np.abs(samples[round(start * RATE) : round((start + 0.3) * RATE)]).max())

    assert loudest(b"\x00\xb0\x40\x7f", 2.0) > 20 * loudest(b"", 2.0)
    assert loudest(b"\x00\xb0\x07\x20", 0.0) < 0.2 * loudest(b"", 0.0)
    path = tmp_path / "b.mid"
    path.write_bytes(midi([(0, 96, 60)], extra=b"\x00\xff\x58\x04\x03\x02\x18\x08"))
    assert open_midi(path, "", 600)[1]["meter"]["value"] == "3/4"


def test_a_named_soundfont(tmp_path: Path) -> None:
    with pytest.raises(MusicHelperError, match="does not exist"):
        find_soundfont(str(tmp_path / "none.sf2"))
    bad = tmp_path / "bad.sf2"
    bad.write_bytes(b"RIFF" + b"\0" * 100)
    with pytest.raises(MusicHelperError, match="cannot be read"):
        SoundFont(bad)
    assert find_soundfont(str(bad)) == bad


def test_variable_length() -> None:
    assert variable(0x0FFFFFFF) == b"\xff\xff\xff\x7f"
