"""Tracker modules by libopenmpt, and without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.audio import decoder, tracker
from assistant.audio.guard import ConversionFailed, Decoders
from assistant.config import IntakeSettings
from assistant.errors import MusicHelperError
from tests.made_sounds import module

needs_library = pytest.mark.skipif(
    not tracker.library_version(), reason="libopenmpt is not installed: apt install libopenmpt0"
)


@needs_library
def test_a_module_is_played_once_and_in_tune(tmp_path: Path) -> None:
    (tmp_path / "a.mod").write_bytes(module())
    (tmp_path / "wrong.mp3").write_bytes(module())
    with Decoders(IntakeSettings(workers=1)) as decoders:
        converted = decoders.convert(tmp_path / "a.mod", tmp_path / "a.wav")
        again = decoders.convert(tmp_path / "wrong.mp3", tmp_path / "b.wav")
    # 64 rows of 6 ticks at 50 a second, and the end of the last sound.
    assert converted.duration == again.duration == pytest.approx(64 * 6 / 50, abs=0.15)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    samples, rate = soundfile.read(tmp_path / "a.wav", always_2d=True)
    assert (rate, samples.shape[1]) == (44100, 2)
    assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20), abs=0.02)
    spectrum = np.abs(np.fft.rfft(samples[:, 0] + samples[:, 1]))
    # The Amiga's clock over the period of C-2, over the 16 frames of the wave.
    assert spectrum.argmax() * rate / len(samples) == pytest.approx(3546895 / 428 / 16, rel=0.005)
    assert "instruments" not in converted.measured
    assert converted.tags == {}


@needs_library
def test_damaged_and_endless_modules_cost_one_file(tmp_path: Path) -> None:
    (tmp_path / "cut.xm").write_bytes(b"Extended Module: song" + b"\0" * 500)
    (tmp_path / "cut.it").write_bytes(b"IMPM" + b"\xff" * 500)
    (tmp_path / "slow.mod").write_bytes(module(speed=31))
    with Decoders(IntakeSettings(workers=1, max_minutes=0.1)) as decoders:
        for name in ("cut.xm", "cut.it"):
            with pytest.raises(ConversionFailed) as caught:
                decoders.convert(tmp_path / name, tmp_path / "a.wav")
            assert caught.value.permanent
            assert "broke down" not in caught.value.title
        with pytest.raises(ConversionFailed, match="minutes long"):
            decoders.convert(tmp_path / "slow.mod", tmp_path / "a.wav")


def test_without_the_library_the_way_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "_library", lambda: None)
    (tmp_path / "a.mod").write_bytes(module())
    request = {
        "source": str(tmp_path / "a.mod"),
        "target": None,
        "keep_own": False,
        "max_seconds": 60,
        "soundfont": "",
    }
    with pytest.raises(MusicHelperError) as caught:
        decoder.convert(request, lambda _event: None)
    assert "need libopenmpt" in caught.value.title
    assert "apt install libopenmpt0" in caught.value.hint
    assert tracker.library_version() == ""
