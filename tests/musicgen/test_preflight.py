from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.cli import main
from assistant.config import Settings
from assistant.errors import CallError
from assistant.library.library import Library, create_library
from assistant.musicgen import client
from assistant.musicgen.checkup import Looked, captions_alike, look_at
from assistant.musicgen.preflight import preflight
from assistant.musicgen.spec import FinetuneSpec
from tests.musicgen.finetunes import spec
from tests.musicgen.tiny_models import NAME, add_tracks, chord, write_tiny_model


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
    assert found["precision"] == "float32"
    assert any("float32, as asked" in reason for reason in found["reasons"])
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


def test_a_dry_run_is_a_document_and_words(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def here(library: Library, wanted: FinetuneSpec, on_event: object = None) -> dict[str, object]:
        asked.append(wanted)
        return preflight(wanted, library, lambda _event: None)

    monkeypatch.setattr(client, "look_ahead", here)
    call = ["--library", str(music_and_model.root), "train", "start", "--dry-run", "--model", NAME]
    call += ["--preset", "quick", "--method", "lora", "--target", "attention", "--crop-seconds", "1"]
    assert main([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["steps"], found["method"], found["batch_size"]) == (60, "lora", 2)
    assert asked[0].targets == ("attention",)
    assert main(call) == 0
    words = capsys.readouterr().out
    for part in ("60, each second", "s a step", "GiB on cpu", "GiB are free", "Adapters are trained"):
        assert part in words


def test_presets_change_what_is_configured_and_knobs_change_presets() -> None:
    settings = Settings()
    full = FinetuneSpec.from_settings(settings, preset="full")
    assert (full.method, full.ema, full.crop_seconds, full.steps) == ("full", 0.99, 20.0, 300)
    quick = FinetuneSpec.from_settings(settings, preset="quick", steps=7)
    assert (quick.steps, quick.crop_seconds, quick.sample_every) == (7, 5.0, 0)
    with pytest.raises(CallError):
        FinetuneSpec.from_settings(settings, preset="slow")
    with pytest.raises(CallError):
        FinetuneSpec.from_settings(settings, targets=("ears",)).check()
