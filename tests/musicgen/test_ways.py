from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from assistant.errors import MusicHelperError
from assistant.library.library import Library
from assistant.musicgen import loading
from assistant.musicgen.engine.engine import Clip, Request
from assistant.musicgen.generation import make_clips
from assistant.musicgen.learner import Learner, Losses
from assistant.musicgen.models import is_adapter, list_models, load_model, model_folder, read_card
from assistant.musicgen.plan import Shape, choose_plan
from assistant.musicgen.recipe import read_recipe, same_sound, spec_again
from assistant.musicgen.spec import FinetuneSpec
from tests.musicgen.finetunes import go, of, spec, weights
from tests.musicgen.tiny_models import NAME

SMALL, MEDIUM, LARGE = (
    Shape(420_400_000, 1024, 24, 1500),
    Shape(1_838_700_000, 1536, 48, 1500),
    Shape(3_257_000_000, 2048, 48, 1500),
)
GIB = 2**30


def state_of(library: Library, name: str) -> dict[str, torch.Tensor]:
    source = model_folder(name, library.paths)
    lm = loading.load_lm(name, source, torch.device("cpu"), torch.float32)
    return {key: value.clone() for key, value in lm.state_dict().items()}


def test_adapters_are_a_small_model_that_is_folded_when_it_is_loaded(music_and_model: Library) -> None:
    library = music_and_model
    events = go(library, spec("thin", method="lora", rank=2, validate_every=0), "run-lora")
    start = of(events, "start")[0]
    assert start["method"] == "lora"
    assert start["trained_parameters"] < start["parameters"]
    folder = library.paths.models / "thin"
    assert is_adapter(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "adapter.safetensors",
        "card.json",
    ]
    assert "thin" in [model.name for model in list_models(library)]
    base, tuned = weights(library, NAME), state_of(library, "thin")
    changed = {name for name in base if not torch.equal(base[name], tuned[name])}
    assert "transformer.layers.1.self_attn.in_proj_weight" in changed
    assert "linears.0.weight" in changed
    assert "condition_provider.conditioners.description.output_proj.weight" in changed
    assert not any(name.startswith("emb.") for name in changed)
    model = load_model("thin", library.root, "cpu", "float32")
    (sound,) = model.make([Clip(seed=1, prompts=("jazz",))], Request(frames=25))
    assert sound.shape == (1, 16_000)


def test_adapters_of_adapters_go_down_to_the_weights(music_and_model: Library) -> None:
    library = music_and_model
    go(library, spec("first", method="lora", rank=2, validate_every=0, steps=2), "run-first")
    go(library, spec("second", model="first", method="lora", validate_every=0, steps=2), "run-second")
    assert read_card(library.paths.models / "second")["base"] == "first"
    first, second = state_of(library, "first"), state_of(library, "second")
    assert any(not torch.equal(first[name], second[name]) for name in first)
    go(library, spec("whole", model="second", method="full", validate_every=0, steps=1), "run-whole")
    assert not is_adapter(library.paths.models / "whole")

    path = library.paths.models / "first" / "adapter.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MusicHelperError) as caught:
        state_of(library, "second")
    assert "adapter" in caught.value.title


def test_layers_below_the_frozen_one_stay(music_and_model: Library) -> None:
    go(music_and_model, spec("frozen", method="full", freeze_below=1, validate_every=0), "run-frozen")
    base, tuned = weights(music_and_model, NAME), weights(music_and_model, "frozen")
    changed = {name for name in base if not torch.equal(base[name], tuned[name])}
    assert not any(name.startswith(("emb.", "transformer.layers.0.")) for name in changed)
    assert any(name.startswith("transformer.layers.1.") for name in changed)


def test_the_average_of_the_weights_is_what_is_looked_at_and_exported(music_and_model: Library) -> None:
    library = music_and_model
    go(library, spec("plain-20", steps=20, validate_every=0), "run-plain")
    go(library, spec("mean-20", steps=20, validate_every=0, ema=0.99), "run-mean")
    base, plain, mean = (weights(library, name) for name in (NAME, "plain-20", "mean-20"))
    key = "linears.0.weight"
    far, near = (float((one[key] - base[key]).norm()) for one in (plain, mean))
    assert 0 < near < far


def test_the_weights_with_the_least_held_out_loss_are_exported(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = music_and_model
    seen: dict[int, torch.Tensor] = {}
    looks = iter([(0, 5.0), (2, 4.0), (4, 3.0), (6, 3.5), (8, 3.6), (10, 1.0)])

    def evaluate(self: Learner, _batch: object) -> Losses:
        step, loss = next(looks)
        seen[step] = self.lm.linears[0].weight.detach().clone()
        return Losses(loss, [loss] * 4, 1)

    monkeypatch.setattr(Learner, "evaluate", evaluate)
    wanted = spec("best", method="full", steps=20, validate_every=2, patience=2)
    events = go(library, wanted, "run-best")
    assert events[-1]["step"] == 8  # two looks without a better one
    assert "has not fallen" in of(events, "warning")[-1]["text"]
    assert torch.equal(weights(library, "best")["linears.0.weight"], seen[4])
    card = read_card(library.paths.models / "best")
    assert card["exported_step"] == 4
    text = (library.paths.models / "best" / "README.md").read_text()
    assert "update 4, the best on held-out music" in text
    kept = {path.name for path in (library.paths.runs / "run-best" / "checkpoints").iterdir()}
    assert kept == {"step-00000006", "step-00000008", "best-00000004"}


def test_samples_of_the_same_prompts_lie_beside_those_of_the_base(music_and_model: Library) -> None:
    library = music_and_model
    wanted = spec("heard", steps=4, method="lora", sample_every=2, sample_seconds=0.5, validate_every=0)
    with_samples = go(library, wanted, "run-heard")
    samples = of(with_samples, "sample")
    assert [event["step"] for event in samples] == [0, 2, 4]
    assert len({event["prompt"] for event in samples}) == 1
    assert len({event["seed"] for event in samples}) == 1
    for event in samples:
        assert soundfile.info(event["path"]).duration == pytest.approx(0.5)
        assert Path(event["base"]).exists()
    base, last = (soundfile.read(samples[place]["path"])[0] for place in (0, -1))
    assert (base != last).any()
    # They change nothing of the run.
    plain = go(library, spec("unheard", steps=4, method="lora", validate_every=0), "run-unheard")
    assert [e["loss"] for e in of(plain, "step")] == [e["loss"] for e in of(with_samples, "step")]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_samples_are_the_clips_that_generate_makes(music_and_model: Library, method: str) -> None:
    library = music_and_model
    wanted = spec(
        f"sounding-{method}",
        steps=2,
        method=method,
        sample_every=2,
        sample_seconds=0.7,
        sample_prompts=("jazz", "慢板藍調"),
        validate_every=0,
    )
    events = go(library, wanted, f"run-sounding-{method}")
    samples = of(events, "sample")
    assert [(event["step"], event["seed"]) for event in samples] == [(0, 0), (0, 1), (2, 0), (2, 1)]
    for event in samples:
        recipe = read_recipe(Path(event["path"]))
        if event["step"]:
            with pytest.raises(MusicHelperError, match="after 2 steps"):
                spec_again(recipe, library.paths, {})
        changes = {"model": events[-1]["model"]} if event["step"] else {}
        again = spec_again(recipe, library.paths, changes)
        engine = load_model(again.model, library.root, "cpu", "auto")
        nothing: dict[str, Any] = {"continue_from": None, "melody": None, "emit": lambda _event: None}
        (clip,) = make_clips(engine, again, library, **nothing)
        assert same_sound(Path(event["path"]), Path(clip["path"]))
        assert clip["english"] == ("a slow blues" if event["seed"] else "jazz")


@pytest.mark.parametrize(
    ("shape", "memory", "method", "rank"),
    [(SMALL, 8, "lora", 16), (MEDIUM, 12, "lora", 32), (LARGE, 24, "lora", 32), (LARGE, 80, "lora", 32)],
)
def test_what_a_card_holds_is_chosen_and_explained(shape: Shape, memory: int, method: str, rank: int) -> None:
    plan = choose_plan(FinetuneSpec(name="x"), shape, half=True, memory=memory * GIB)
    assert (plan.method, plan.rank) == (method, rank)
    assert plan.batch_size * plan.accumulation == 8
    assert plan.memory_bytes <= memory * GIB
    assert any("GiB" in reason for reason in plan.reasons)


def test_small_fits_in_six_gibibytes_and_medium_in_twelve() -> None:
    for shape, memory in ((SMALL, 6), (MEDIUM, 12)):
        plan = choose_plan(FinetuneSpec(name="x"), shape, half=True, memory=memory * GIB)
        assert plan.memory_bytes < memory * GIB
    full = FinetuneSpec(name="x", method="full")
    tight = choose_plan(full, LARGE, half=True, memory=24 * GIB)
    assert "may not fit" in tight.reasons[-1]
    anywhere = choose_plan(full, SMALL, half=False, memory=None)
    assert (anywhere.method, anywhere.batch_size, anywhere.accumulation) == ("full", 4, 2)


def test_a_card_says_what_a_model_was_made_of(music_and_model: Library) -> None:
    go(music_and_model, spec("carded", genres=("jazz",)), "run-card")
    card = json.loads((music_and_model.paths.models / "carded" / "card.json").read_text())
    assert card["method"] == "full"
    assert len(card["losses"]["each"]) == 4
    text = (music_and_model.paths.models / "carded" / "README.md").read_text()
    for words in ("genres: jazz", "| learning_rate | 0.003 |", "## Licence", "Of each codebook"):
        assert words in text
