from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.library.library import Library, create_library
from assistant.musicgen.checkup import Looked, captions_alike, look_at
from assistant.musicgen.preflight import preflight
from tests.musicgen.finetunes import spec
from tests.musicgen.tiny_models import add_tracks, chord, write_tiny_model


def wav(path: Path, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Path:
    soundfile.write(path, samples, 44_100, subtype="PCM_16")
    return path


def test_silence_single_hits_and_clipping_are_seen(tmp_path: Path) -> None:
    music = chord(0, 6.0)
    silent = music.copy()
    silent[44_100:] = 0
    clipped = np.clip(music * 30, -1, 1)
    assert look_at(wav(tmp_path / "a.wav", music)) == Looked(False, False, False)
    assert look_at(wav(tmp_path / "b.wav", silent)) == Looked(True, False, False)
    assert look_at(wav(tmp_path / "c.wav", music[:40_000])) == Looked(False, True, False)
    assert look_at(wav(tmp_path / "d.wav", clipped)) == Looked(False, False, True)
    peaks = music / np.abs(music).max()
    assert look_at(wav(tmp_path / "e.wav", peaks)) == Looked(False, False, False)
    assert look_at(tmp_path / "none.wav") is None


def test_captions_that_are_all_alike_are_seen() -> None:
    assert captions_alike(["Music."] * 5 + ["A tune."])
    assert not captions_alike([f"Tune {number}." for number in range(6)])
    assert not captions_alike(["Music."] * 3)


def test_a_look_ahead_says_what_a_run_takes(music_and_model: Library) -> None:
    events: list[dict[str, object]] = []
    found = preflight(spec("ahead", steps=100, learning_rate=0.0), music_and_model, events.append)
    assert [event["what"] for event in events] == ["tokens", "steps"]
    assert found["tracks"] + found["held_out"] == 6
    assert found["passes"] == pytest.approx(100 * 6 * 1.0 / found["seconds_of_music"], rel=0.01)
    assert found["seconds"] > 100 * found["seconds_per_step"] > 0
    assert 0 < found["memory_bytes"] < found["memory_total"]
    assert 0 < found["disk_bytes"] < found["disk_free"]
    assert found["reasons"]
    assert not (music_and_model.paths.models / "ahead").exists()


def test_a_look_ahead_warns_of_what_spoils_a_run(tmp_path: Path) -> None:
    with create_library(tmp_path / "library") as library:
        add_tracks(library, seconds=1.5)
        write_tiny_model(library)
        for path in library.root.glob("*/*.txt"):
            path.write_text("Music.\n")
        warnings = preflight(spec("bad", steps=5000), library, lambda _event: None)["warnings"]
    assert any("shorter than two seconds" in text for text in warnings)
    assert any("captions are the same" in text for text in warnings)
    assert any("by heart" in text for text in warnings)
