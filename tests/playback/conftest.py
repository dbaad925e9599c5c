from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import soundfile


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No sound server, screen or connection of the machine that runs the tests is seen."""
    for name in ("PULSE_SERVER", "SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY", "ALSA_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("assistant.playback.sound._CARDS", tmp_path / "cards")
    monkeypatch.setattr("assistant.playback.sound._SOUND_DEVICES", tmp_path)
    monkeypatch.setattr("assistant.playback.sound.pacat_installed", lambda: False)


@pytest.fixture
def tone(tmp_path: Path) -> Callable[..., Path]:
    """Write a sine."""

    def write(
        name: str = "tone.wav", seconds: float = 1.0, rate: int = 44100, channels: int = 2, subtype: str = ""
    ) -> Path:
        time = numpy.arange(int(seconds * rate)) / rate
        wave = 0.5 * numpy.sin(2 * numpy.pi * 440 * time)
        path = tmp_path / name
        soundfile.write(path, numpy.stack([wave] * channels, axis=1), rate, subtype=subtype or None)
        return path

    return write
