"""A clip made again from the recipe in its own file, in each kind of file, by the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from assistant.cli import main
from assistant.library.library import Library
from assistant.musicgen.identity import file_hash, model_hashes
from assistant.musicgen.recipe import read_recipe
from assistant.musicgen.spec import FORMATS
from tests.musicgen.tiny_models import NAME, write_tiny_model


@pytest.fixture
def made(music_and_model: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Calls `musichelper generate --json …` and gives its status, its document and its words."""

    def call(*arguments: str) -> tuple[int, dict[str, Any], str]:
        root = str(music_and_model.root)
        status = main(["--library", root, "generate", "--json", "--out", str(tmp_path / "made"), *arguments])
        captured = capsys.readouterr()
        return status, json.loads(captured.out or "{}"), captured.err

    return call


def sound(path: str | Path) -> np.ndarray[Any, Any]:
    samples: np.ndarray[Any, Any] = soundfile.read(path, dtype="int32")[0]
    return samples


def settings(**values: str) -> list[str]:
    chosen = {"model": NAME, "prompt": "a jazz tune", "duration": "1", "seed": "5", "device": "cpu", **values}
    return [word for name, value in chosen.items() for word in (f"--{name}", value)]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_clip_is_made_again_sample_for_sample(made: Any, tmp_path: Path, kind: str) -> None:
    chosen = settings(format=kind, temperature="0.9", cfg="2.5", loudness="-20", prompt="一首慢板藍調")
    _status, document, words = made(*chosen, "--top-k", "20", "--true-peak", "-2")
    assert "a slow blues" in words
    first = Path(document["clips"][0]["path"])
    copy = tmp_path / "elsewhere" / first.name
    copy.parent.mkdir()
    shutil.copy(first, copy)
    status, again, words = made("--from", str(copy))
    assert (status, again["same"]) == (0, True)
    second = Path(again["clips"][0]["path"])
    assert second.suffix == f".{kind}"
    assert np.array_equal(sound(first), sound(second))
    if kind == "wav":
        audio = first.read_bytes().split(b"data", 1)[1].split(b"LIST", 1)[0]
        assert audio == second.read_bytes().split(b"data", 1)[1].split(b"LIST", 1)[0]
    assert "same audio" in words
    recipes = [read_recipe(path) for path in (first, second)]
    for recipe in recipes:
        for passing in ("made", "seconds_to_make"):
            del recipe[passing]
    assert recipes[0] == recipes[1]
    assert recipes[0]["prompt"] == "一首慢板藍調"
    assert recipes[0]["english"] == "a slow blues"
    assert recipes[0]["computed_on"] == "cpu float32"
    assert recipes[0]["version"]


def test_the_english_of_later_parts_is_in_the_recipe(made: Any) -> None:
    then = ("--then", "快樂的迪斯可", "--then", "rock")
    _status, document, words = made(*settings(prompt="慢板藍調", duration="3"), *then)
    assert "a disco piece, happy" in words
    (clip,) = document["clips"]
    recipe = read_recipe(Path(clip["path"]))
    assert recipe["then"] == ["快樂的迪斯可", "rock"]
    assert recipe["then_english"] == clip["then_english"] == ["a disco piece, happy", "rock"]
    status, again, words = made("--from", clip["path"])
    assert (status, again["same"]) == (0, True)
    for english in ("a slow blues", "a disco piece, happy"):
        assert english in words
    (mine,) = made("--from", clip["path"], "--then-english", "my disco")[1]["clips"]
    assert mine["then_english"] == ["my disco", "rock"]
    assert not np.array_equal(sound(clip["path"]), sound(mine["path"]))
    (other,) = made("--from", clip["path"], "--then", "jazz")[1]["clips"]
    assert other["then_english"] == ["jazz"]
    status, _none, words = made(*settings(), "--then-english", "too much")
    assert status == 2


def test_the_recipe_can_be_changed(made: Any, music_and_model: Library) -> None:
    (first,) = made(*settings(prompt="慢板藍調"))[1]["clips"]
    document = made("--from", first["path"], "--seed", "6")[1]
    assert "same" not in document
    assert (document["clips"][0]["seed"], document["clips"][0]["english"]) == (6, "a slow blues")
    assert not np.array_equal(sound(first["path"]), sound(document["clips"][0]["path"]))
    (other,) = made("--from", first["path"], "--prompt", "快樂的迪斯可")[1]["clips"]
    assert other["english"] == "a disco piece, happy"
    (mine,) = made("--from", first["path"], "--english", "my own words")[1]["clips"]
    assert (mine["prompt"], mine["english"]) == ("慢板藍調", "my own words")
    row = music_and_model.ledger.clips(limit=1)[0]
    assert row.recipe == {k: v for k, v in read_recipe(Path(mine["path"])).items() if k != "program"}


def test_a_track_is_named_as_the_library_names_it(made: Any, music_and_model: Library) -> None:
    track = music_and_model.ledger.tracks()[0]
    (clip,) = made(*settings(), "--continue", str(track.path))[1]["clips"]
    assert clip["duration"] == pytest.approx(4.0, abs=0.01)
    assert made("--from", clip["path"])[1]["same"]


def test_what_was_heard_must_be_there_unchanged(made: Any, music_and_model: Library, tmp_path: Path) -> None:
    source = tmp_path / "source.wav"
    shutil.copy(music_and_model.root / music_and_model.ledger.tracks()[0].path, source)
    (clip,) = made(*settings(), "--continue", str(source))[1]["clips"]
    assert read_recipe(Path(clip["path"]))["continue_from_hash"] == file_hash(source)
    assert made("--from", clip["path"])[1]["same"]
    samples, rate = soundfile.read(source)
    soundfile.write(source, samples * 0.5, rate)
    status, _none, words = made("--from", clip["path"])
    assert status == 1
    assert "has changed" in words
    source.unlink()
    status, _none, words = made("--from", clip["path"])
    assert status == 1
    assert "not there any more" in words


def test_a_model_that_is_missing_or_another_is_said(made: Any, music_and_model: Library) -> None:
    folder = write_tiny_model(music_and_model, "passing")
    (clip,) = made(*settings(model="passing"))[1]["clips"]
    hashes = model_hashes("passing", music_and_model.paths)
    assert read_recipe(Path(clip["path"]))["model_hash"] == hashes["model_hash"]
    weights = folder / "state_dict.bin"
    weights.write_bytes(weights.read_bytes() + b"more")
    assert model_hashes("passing", music_and_model.paths) != hashes
    status, _none, words = made("--from", clip["path"])
    assert status == 1
    assert "passing has changed" in words
    assert "--model passing" in words
    shutil.rmtree(folder)
    status, _none, words = made("--from", clip["path"])
    assert status == 1
    assert "is not here" in words
    assert made("--from", clip["path"], "--model", NAME)[0] == 0


def test_what_the_engine_refuses_is_a_wrong_call(made: Any, capsys: pytest.CaptureFixture[str]) -> None:
    status, _none, words = made(*settings(), "--stride", "5")
    assert status == 2
    assert "leaves nothing to go on from" in words
    for option in ("--from", "--melody", "--continue"):
        status, _none, words = made(*settings(), option, "nothing.wav")
        assert status == 2
        assert "nothing.wav" in words
    with pytest.raises(SystemExit) as caught:
        made(*settings(), "--loudness", "loud")
    assert caught.value.code == 2
    assert "'loud' is neither a number nor `off`" in capsys.readouterr().err


def test_the_english_can_be_seen_before(made: Any) -> None:
    status, document, _words = made("--prompt", "悲傷的二胡，不要鼓，30秒", "--show-english")
    assert status == 0
    assert document["english"] == "a piece with sad erhu"
    assert (document["left_out"], document["elsewhere"]) == (["鼓"], ["30秒"])
    assert document["nearest"][0]["english"].startswith("a melancholic erhu solo")
    status, _document, words = made(*settings(prompt="囧囧"))
    assert status == 2
    assert "--english" in words


def test_a_level_that_is_left_alone(made: Any) -> None:
    quiet, loud = (made(*settings(), "--loudness", level)[1]["clips"][0] for level in ("off", "-30"))
    assert read_recipe(Path(quiet["path"]))["loudness"] is None
    assert not np.array_equal(sound(quiet["path"]), sound(loud["path"]))
    assert made("--from", quiet["path"])[1]["same"]
