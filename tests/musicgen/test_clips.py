from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from assistant.errors import CallError, Cancelled, MusicHelperError
from assistant.library.library import Library
from assistant.musicgen.recipe import read_recipe
from assistant.musicgen.spec import GenerateSpec
from assistant.serving.client import Generator
from tests.musicgen.tiny_models import NAME


@pytest.fixture(scope="module")
def generator(music_and_model: Library) -> Iterator[Generator]:
    with Generator(music_and_model) as made:
        yield made


def request(**values: Any) -> GenerateSpec:
    chosen: dict[str, Any] = {
        "model": NAME,
        "prompt": "a jazz tune",
        "duration": 1.0,
        "seed": 5,
        "device": "cpu",
    }
    return GenerateSpec(**{**chosen, **values})


def sound(path: str) -> np.ndarray[Any, Any]:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 32_000
    return samples  # type: ignore[no-any-return]


def test_a_clip_has_its_length_its_recipe_and_its_row(generator: Generator, music_and_model: Library) -> None:
    events: list[dict[str, Any]] = []
    (clip,) = generator.generate(request(), on_event=events.append)
    samples = sound(clip.path)
    assert samples.shape == (32_000,)
    assert float(np.abs(samples).max()) > 0.01
    recipe = read_recipe(Path(clip.path))
    assert (recipe["prompt"], recipe["seed"], recipe["model"]) == ("a jazz tune", 5, NAME)
    row = music_and_model.ledger.clips(limit=1)[0]
    assert row.path == Path(clip.path)
    assert row.recipe["seed"] == 5
    assert {"event": "loading"} in events[:2]
    counted = [event for event in events if event["event"] == "tokens"]
    assert counted[-1]["done"] == counted[-1]["total"] == 53  # fifty frames and the longest delay


def test_a_seed_gives_the_same_clip_whatever_the_count(generator: Generator) -> None:
    alone = generator.generate(request(seed=8))
    several = generator.generate(request(seed=7, count=3))
    assert [clip.seed for clip in several] == [7, 8, 9]
    assert np.array_equal(sound(alone[0].path), sound(several[1].path))
    assert not np.array_equal(sound(several[0].path), sound(several[1].path))


def test_without_words_and_without_a_seed(generator: Generator, tmp_path: Path) -> None:
    (clip,) = generator.generate(request(prompt="", seed=None, out=str(tmp_path), format="flac"))
    assert Path(clip.path).parent == tmp_path
    again = generator.generate(request(prompt="", seed=clip.seed, format="flac"))
    assert np.array_equal(sound(clip.path), sound(again[0].path))


def test_longer_than_the_model_spans(generator: Generator) -> None:
    (clip,) = generator.generate(request(duration=3.5))
    assert sound(clip.path).shape == (112_000,)


def test_prompts_and_parts_and_precisions(generator: Generator) -> None:
    clips = generator.generate(request(prompts=("jazz", "rock"), count=2, seed=20, precision="int8"))
    assert [(clip.prompt, clip.seed) for clip in clips] == [
        ("jazz", 20),
        ("jazz", 21),
        ("rock", 22),
        ("rock", 23),
    ]
    (alone,) = generator.generate(request(prompt="rock", seed=22, precision="int8"))
    assert np.array_equal(sound(alone.path), sound(clips[2].path))
    recipe = read_recipe(Path(clips[2].path))
    assert (recipe["prompt"], recipe["prompts"], recipe["count"]) == ("rock", [], 1)
    changed = [
        sound(generator.generate(request(duration=3.0, stride=stride, then=then))[0].path)
        for stride, then in ((0.0, ()), (1.5, ()), (0.0, ("rock",)))
    ]
    assert {samples.shape for samples in changed} == {(96_000,)}
    assert not np.array_equal(changed[0], changed[1])
    assert not np.array_equal(changed[0], changed[2])
    with pytest.raises(MusicHelperError, match="stride"):
        generator.generate(request(stride=2.0))


def test_a_loop_is_near_its_length(generator: Generator) -> None:
    (clip,) = generator.generate(request(loop=True, duration=1.6))
    assert clip.duration == pytest.approx(1.6, abs=0.2)


def test_the_first_sound_comes_early(generator: Generator, music_and_model: Library) -> None:
    order: list[str] = []
    heard: list[tuple[int, float]] = []

    def on_event(event: dict[str, Any]) -> None:
        order.append(event["event"])
        if event["event"] == "sound":
            heard.append((event["clip"], event["seconds"]))

    generator.generate(request(duration=4.0, count=2), on_event=on_event)
    assert order.index("sound") < len(order) - 1 - order[::-1].index("tokens")
    assert {clip for clip, _seconds in heard} == {0, 1}
    assert heard[-1][1] == pytest.approx(4.0, abs=0.05)
    assert not list((music_and_model.paths.clips / ".previews").iterdir())


def test_going_on_from_a_track_keeps_its_own_sound(generator: Generator, music_and_model: Library) -> None:
    track = music_and_model.ledger.tracks()[0]
    (clip,) = generator.generate(request(continue_from=str(track.path), duration=1.5, loudness=-20.0))
    samples = sound(clip.path)
    assert clip.duration == pytest.approx(4.5, abs=0.01)
    original, _rate = soundfile.read(music_and_model.root / track.path, dtype="float32")
    # The same sound but for its level: the rate differs, so the envelopes are compared.
    a = np.abs(original[: 44_100 * 2]).reshape(200, -1).mean(axis=1)
    b = np.abs(samples[: 32_000 * 2]).reshape(200, -1).mean(axis=1)
    assert np.corrcoef(a, b)[0, 1] > 0.999


def test_what_cannot_be_is_said(generator: Generator, music_and_model: Library) -> None:
    track = str(music_and_model.ledger.tracks()[0].path)
    for wrong in (
        request(model="no-such-model"),
        request(continue_from="nothing.wav"),
        request(duration=-1),
    ):
        with pytest.raises(CallError):
            generator.generate(wrong)
    with pytest.raises(CallError, match="cannot follow a melody"):  # said by the engine
        generator.generate(request(melody=track))


def test_a_folder_that_cannot_be_written_to_is_said_before(generator: Generator, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    events: list[dict[str, Any]] = []
    for folder in (tmp_path / "file", Path("/proc/clips")):
        with pytest.raises(CallError, match="cannot be written into"):
            generator.generate(request(out=str(folder)), on_event=events.append)
    assert events == []


def test_cancelling_ends_it_and_the_next_one_works(generator: Generator) -> None:
    started = threading.Event()

    def stop() -> None:
        started.wait(60)
        generator.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Cancelled):
        generator.generate(request(duration=300.0), on_event=lambda event: started.set())
    thread.join()
    assert generator.generate(request())
