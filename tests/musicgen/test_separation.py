from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.errors import CallError, MusicHelperError
from assistant.library.library import Library
from assistant.musicgen import encode, separation
from assistant.musicgen.melody import BEATS, has_separator
from assistant.musicgen.separation import separator_name, without
from tests.musicgen.finetunes import go, spec
from tests.musicgen.tiny_models import chord, write_tiny_model

PLUG_IN = """
import numpy as np

class Bands:
    def stems(self, sound, rate):
        spectrum = np.fft.rfft(sound)
        hertz = np.fft.rfftfreq(sound.shape[1], 1 / rate)
        bands = {"bass": (0, 200), "other": (200, 800), "vocals": (800, 4000), "drums": (4000, rate)}
        return {
            name: np.fft.irfft(spectrum * ((low <= hertz) & (hertz < high)), sound.shape[1])
            for name, (low, high) in bands.items()
        }

class Short:
    def stems(self, sound, rate):
        return {"vocals": sound[:, 1:]}

class Odd:
    def stems(self, sound, rate):
        return {"kazoo": sound}
"""
RATE = 32_000


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a plug-in by the name of its class."""

    def install(name: str) -> None:
        (tmp_path / "band_stems.py").write_text(PLUG_IN)
        about = tmp_path / "band_stems-1.2.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: band-stems\nVersion: 1.2\n")
        (about / "entry_points.txt").write_text(f"[{separation.GROUP}]\nbands = band_stems:{name}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        separation._made.cache_clear()

    return install


def energy(sound: np.ndarray[Any, Any], low: float, high: float) -> float:
    hertz = np.fft.rfftfreq(sound.shape[1], 1 / RATE)
    return float(np.square(np.abs(np.fft.rfft(sound)))[:, (low <= hertz) & (hertz < high)].sum())


def test_stems_are_taken_out_by_the_plug_in(installed: Any) -> None:
    sound = np.stack([chord(3, 1.0, RATE), chord(8, 1.0, RATE)])
    assert separator_name() is None
    assert not has_separator()
    assert without(sound, RATE, BEATS) is sound
    installed("Bands")
    assert separator_name() == "bands-1.2"
    assert has_separator()
    assert without(sound, RATE, ()) is sound
    quiet = without(sound, RATE, ("vocals",))
    assert quiet.shape == sound.shape
    assert quiet.dtype == np.float32
    assert energy(quiet, 900, 3900) < 1e-6 * energy(sound, 900, 3900)
    assert energy(quiet, 210, 790) == pytest.approx(energy(sound, 210, 790), rel=1e-3)
    melody = without(sound, RATE, BEATS)
    assert energy(melody, 0, 190) < 1e-6 * energy(sound, 0, 190)


@pytest.mark.parametrize("name", ["Short", "Odd"])
def test_a_plug_in_that_fails_is_named(installed: Any, name: str) -> None:
    installed(name)
    with pytest.raises(MusicHelperError, match="bands"):
        without(np.zeros((1, 100), np.float32), RATE, ("vocals",))


def test_a_fine_tune_learns_the_music_without_a_stem(
    music: Library, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[float] = []
    real = encode.encode

    def listen(codec: Any, sound: np.ndarray[Any, Any], device: Any) -> Any:
        heard.append(energy(sound, 900, 3900) / energy(sound, 210, 790))
        return real(codec, sound, device)

    monkeypatch.setattr(encode, "encode", listen)
    write_tiny_model(music)
    with pytest.raises(CallError, match="separator"):
        go(music, spec("none", remove=("vocals",)), "run-none")
    installed("Bands")
    go(music, spec("plain", steps=1), "run-plain")
    go(music, spec("instrumental", steps=1, remove=("vocals",)), "run-instrumental")
    assert min(heard[:6]) > 1e-4
    assert max(heard[6:]) < 1e-6
    folders = sorted(path.name for path in music.paths.tokens.iterdir())
    assert len(folders) == 2
    assert folders[1] == f"{folders[0]}-without-vocals-by-bands-1.2"


def test_taking_everything_out_is_refused() -> None:
    with pytest.raises(CallError):
        spec("nothing", remove=("vocals", "drums", "bass", "other"))
    with pytest.raises(CallError):
        spec("odd", remove=("kazoo",))
