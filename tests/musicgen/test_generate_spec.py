from __future__ import annotations

import pytest

from assistant.config import GenerateSettings, MusicGenSettings, Settings
from assistant.errors import CallError
from assistant.musicgen.spec import FinetuneSpec, GenerateSpec


def test_settings_are_the_defaults_and_the_call_wins() -> None:
    settings = Settings(
        musicgen=MusicGenSettings(model="m", steps=7), generate=GenerateSettings(cfg=1.5, duration=4.0)
    )
    tune = FinetuneSpec.from_settings(settings, batch_size=3)
    assert (tune.model, tune.steps, tune.batch_size) == ("m", 7, 3)
    assert tune.name
    tune.check()
    clip = GenerateSpec.from_settings(settings, duration=5.0)
    assert (clip.model, clip.cfg, clip.duration) == ("m", 1.5, 5.0)


def test_a_specification_survives_json() -> None:
    spec = FinetuneSpec(name="x", genres=("jazz", "rock"))
    assert FinetuneSpec.from_dict({**spec.as_dict(), "later": 1}) == spec


@pytest.mark.parametrize(
    "values",
    [
        {"steps": 0},
        {"crop_seconds": float("nan")},
        {"condition_dropout": 1.5},
        {"precision": "int3"},
        {"name": "../elsewhere"},
        {"name": "mini"},
    ],
)
def test_a_wrong_finetune_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(CallError):
        FinetuneSpec.from_dict({"name": "good", **values}).check()


@pytest.mark.parametrize(
    "values",
    [
        {"duration": 0},
        {"seed": -1},
        {"count": 0},
        {"top_p": 2},
        {"format": "aiff"},
        {"melody": "a.wav", "continue_from": "b.wav"},
    ],
)
def test_a_wrong_request_for_clips_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(CallError):
        GenerateSpec.from_dict(values).check()


def test_clips_are_decoded_together() -> None:
    from assistant.musicgen.clip_sounds import batches

    spec = GenerateSpec(prompts=("a", "b"), count=9)
    numbers = [[number for number, _prompt in batch] for batch in batches(spec, mixed=True)]
    assert numbers == [[*range(8)], [*range(8, 16)], [16, 17]]
    apart = list(batches(spec, mixed=False))
    assert [len(batch) for batch in apart] == [8, 1, 8, 1]
    assert [{prompt for _number, prompt in batch} for batch in apart] == [{"a"}, {"a"}, {"b"}, {"b"}]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "free"),
        ("  ../Slow, blue & easy!", "slow-blue-easy"),
        ("An upbeat hip-hop piece, probably with drums", "an-upbeat-hip-hop-piece-probably-with"),
        ("慢" * 60, "慢" * 40),
    ],
)
def test_the_prompt_as_a_part_of_a_name(prompt: str, words: str) -> None:
    assert GenerateSpec(prompt=prompt).file_words == words
