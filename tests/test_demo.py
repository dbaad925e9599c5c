"""The whole job at a small size: every step, on real files and in real processes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from assistant.config import Settings
from assistant.demo import DemoSize, Step, prompts, run_demo
from assistant.errors import CallError
from assistant.library.library import Library

SETTINGS = msgspec.convert(
    {
        "library": {"genres": ["classical", "metal"]},
        "classifier": {"epochs": 4},
        "musicgen": {"batch_size": 2, "warmup_steps": 1},
    },
    Settings,
)
SIZE = DemoSize(
    labelled=6,
    unlabelled=1,
    piece_seconds=8.0,
    steps=6,
    crop_seconds=4.0,
    clip_seconds=2.0,
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    root = tmp_path_factory.mktemp("demo") / "library"
    return root, list(run_demo(root, SETTINGS, size=SIZE))


def test_every_step_is_done(demo: tuple[Path, list[Step]]) -> None:
    _root, steps = demo
    assert [(step.name, step.detail) for step in steps if not step.done] == []
    assert len(steps) == 7


def test_the_tracks_are_ready_and_labelled(demo: tuple[Path, list[Step]]) -> None:
    root, _steps = demo
    wavs = [path for path in root.rglob("*.wav") if ".musichelper" not in path.parts]
    assert len(wavs) == 14
    assert {soundfile.info(path).samplerate for path in wavs} == {44100}
    assert not list((root / "unknow").iterdir())
    for wav in wavs:
        assert wav.with_suffix(".txt").read_text()
        assert json.loads(wav.with_suffix(".json").read_text())["genre"] == wav.parent.name


def test_the_clips_can_be_played_and_are_not_silence(demo: tuple[Path, list[Step]]) -> None:
    _root, steps = demo
    clips = steps[-1].figures["clips"]
    assert [clip["genre"] for clip in clips] == ["classical", "metal"]
    for clip in clips:
        samples, rate = soundfile.read(clip["path"])
        assert rate == 32000
        assert abs(len(samples) / rate - 2.0) < 0.1
        assert np.sqrt(np.mean(samples**2)) > 1e-3


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("mine")
    with pytest.raises(CallError, match="not empty"):
        list(run_demo(tmp_path, SETTINGS))


def test_a_source_without_music_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(CallError, match="no music"):
        list(run_demo(tmp_path / "library", SETTINGS, source=tmp_path / "source"))


def test_without_genres_the_prompts_are_those_of_any_track(library: Library) -> None:
    assert prompts(library) == []
    for folder, name in (("unknow", "a"), ("unknow", "b"), ("jazz", "c")):
        path = Path(folder, f"{name}.wav")
        (library.root / path.with_suffix(".txt")).write_text(f"A song called {name}.")
        track = library.ledger.add_track(path, name * 32, 1, 1)
        if folder == "unknow":
            library.ledger.update_track(track.id, state="ready", caption=path.with_suffix(".txt"))
    assert prompts(library, 1) == [("unknow", "A song called a.")]
    library.ledger.update_track(track.id, state="ready", caption=path.with_suffix(".txt"))
    assert prompts(library) == [("jazz", "A song called c.")]
