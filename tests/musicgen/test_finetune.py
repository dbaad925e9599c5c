from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from assistant.errors import MusicHelperError
from assistant.library.library import Library
from assistant.musicgen.learner import Learner, Update
from assistant.musicgen.models import list_models, read_card
from assistant.musicgen.optimizer import learning_rate
from tests.musicgen.finetunes import go, of, spec, stop_after, weights
from tests.musicgen.tiny_models import NAME, add_tracks, write_tiny_model


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_stopping_and_going_on_gives_the_same_model(music_and_model: Library, precision: str) -> None:
    library = music_and_model
    name = f"parts-{precision}"
    straight = go(library, spec(f"straight-{precision}", precision=precision), f"run-a-{precision}")
    parts = spec(name, precision=precision)
    first = go(library, parts, f"run-b-{precision}", stop_after(3))
    assert first[-1]["state"] == "stopped"
    assert first[-1]["step"] == 3
    second = go(library, parts, f"run-b-{precision}")
    assert second[-1] == {"event": "end", "state": "done", "model": name, "step": 6, "steps": 6}
    assert len(of(straight, "step")) == 6
    assert [e["loss"] for e in of(straight, "step")] == [
        e["loss"] for e in of(first, "step") + of(second, "step")
    ]
    a, b = weights(library, f"straight-{precision}"), weights(library, name)
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["linears.0.weight"], weights(library, NAME)["linears.0.weight"])


def test_what_a_run_says_and_leaves(music_and_model: Library) -> None:
    library = music_and_model
    events = go(library, spec("plain", genres=("jazz",)), "run-c")
    start = of(events, "start")[0]
    assert start["tracks"] + start["held_out"] == 3
    assert [event["step"] for event in of(events, "validation")] == [0, 3, 6]
    step = of(events, "step")[0]
    assert len(step["losses"]) == 4
    assert step["loss"] == pytest.approx(sum(step["losses"]) / 4)
    assert step["tokens_per_second"] > 0
    kept = sorted(path.name for path in (library.paths.runs / "run-c" / "checkpoints").iterdir())
    assert [name for name in kept if name.startswith("step")] == ["step-00000004", "step-00000006"]
    card = read_card(library.paths.models / "plain")
    assert card["kind"] == "fine-tuned"
    assert card["base"] == NAME
    assert card["licence"] == "MIT"
    assert card["data"]["genres"] == ["jazz"]
    assert "plain" in [model.name for model in list_models(library)]


def test_audiocraft_itself_reads_the_exported_model(music_and_model: Library) -> None:
    from audiocraft.models.musicgen import MusicGen

    go(music_and_model, spec("export", steps=1, validate_every=0), "run-d")
    model = MusicGen.get_pretrained(str(music_and_model.paths.models / "export"), device="cpu")
    model.set_generation_params(duration=0.5, top_k=10)
    assert model.generate(["jazz"]).shape == (1, 1, 16_000)


def test_pause_holds_and_saves(music_and_model: Library) -> None:
    words = iter([None, "pause", "pause", "pause", None, "save"])
    events = go(music_and_model, spec("paused", validate_every=0), "run-e", lambda: next(words, None))
    kinds = [event["event"] for event in events if event["event"] in ("step", "paused", "checkpoint")]
    assert kinds[:6] == ["step", "checkpoint", "paused", "step", "checkpoint", "checkpoint"]
    assert kinds.count("step") == 6


def test_the_loss_falls(tmp_path: Path, music_and_model: Library) -> None:
    events = go(music_and_model, spec("falls", steps=40, accumulation=1, validate_every=0), "run-f")
    losses = [event["loss"] for event in of(events, "step")]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def broken_at(monkeypatch: pytest.MonkeyPatch, calls: Callable[[int], bool]) -> None:
    """Let the updates with these numbers, counted from zero, have a loss that is no number."""
    real, counter = Learner._losses, iter(range(1_000_000))

    def losses(self: Learner, batch: Any, scales: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
        loss, sums = real(self, batch, scales)
        wrong = torch.is_grad_enabled() and calls(next(counter))
        return (loss * float("nan"), sums * float("nan")) if wrong else (loss, sums)

    monkeypatch.setattr(Learner, "_losses", losses)


def test_a_loss_that_is_no_number_rolls_back_and_says_so(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_at(monkeypatch, lambda call: call == 2 * 4 + 1)  # the fifth step's second pass
    events = go(music_and_model, spec("once", validate_every=2), "run-g")
    assert [(event["from"], event["step"]) for event in of(events, "rollback")] == [(4, 4)]
    assert [event["step"] for event in of(events, "validation")] == [0, 2, 4, 6]
    assert "went back to step 4" in of(events, "rollback")[0]["text"]
    assert [event["step"] for event in of(events, "step")] == [1, 2, 3, 4, 5, 6]
    assert all(torch.isfinite(value).all() for value in weights(music_and_model, "once").values())


def test_without_a_checkpoint_a_rollback_begins_anew(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_at(monkeypatch, lambda call: call == 2)
    events = go(music_and_model, spec("anew", validate_every=0), "run-g2")
    assert [(event["from"], event["step"]) for event in of(events, "rollback")] == [(1, 0)]
    assert [event["step"] for event in of(events, "step")] == [1, 1, 2, 3, 4, 5, 6]


def test_a_fine_tune_that_only_goes_wrong_gives_up_with_a_hint(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_at(monkeypatch, lambda _call: True)
    with pytest.raises(MusicHelperError) as caught:
        go(music_and_model, spec("never", validate_every=0), "run-h")
    assert "learning rate" in caught.value.hint
    assert not (music_and_model.paths.models / "never").exists()


def test_a_loss_that_jumps_and_stays_up_rolls_back_with_half_the_rate(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, steps = Learner.update, iter(range(1_000_000))

    def update(self: Learner, *arguments: Any) -> Update:
        done = real(self, *arguments)
        high = 30 <= next(steps) < 33
        return replace(done, losses=replace(done.losses, mean=done.losses.mean + 4.0 * high))

    monkeypatch.setattr(Learner, "update", update)
    wanted = spec("spike", steps=40, batch_size=1, accumulation=1, validate_every=0, checkpoint_every=10)
    events = go(music_and_model, wanted, "run-spike")
    assert [(event["from"], event["step"]) for event in of(events, "rollback")] == [(33, 30)]
    rates = {event["step"]: event["learning_rate"] for event in of(events, "step")}
    assert rates[31] == pytest.approx(learning_rate(30, 40, 2, 3e-3) / 2)
    assert events[-1]["step"] == 40


def test_out_of_memory_halves_the_crops_at_once_and_changes_nothing_else(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = spec("roomy", batch_size=4, accumulation=1, validate_every=0)
    roomy = go(music_and_model, wanted, "run-roomy")
    real = Learner._losses

    def losses(self: Learner, batch: Any, scales: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, batch, scales)

    monkeypatch.setattr(Learner, "_losses", losses)
    tight = go(music_and_model, replace(wanted, name="tight"), "run-tight")
    assert len(of(tight, "warning")) == 2  # four, two, one
    for a, b in zip(of(roomy, "step"), of(tight, "step"), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
    monkeypatch.setattr(
        Learner, "_losses", lambda *_arguments: (_ for _ in ()).throw(torch.OutOfMemoryError())
    )
    with pytest.raises(MusicHelperError) as caught:
        go(music_and_model, replace(wanted, name="none"), "run-none")
    assert "lora" in caught.value.hint


def test_a_damaged_checkpoint_costs_only_itself(music_and_model: Library) -> None:
    go(music_and_model, spec("damaged", validate_every=0), "run-i", stop_after(5))
    checkpoints = music_and_model.paths.runs / "run-i" / "checkpoints"
    path = checkpoints / "step-00000005" / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1  # as long as before, and it can be read
    path.write_bytes(data)
    events = go(music_and_model, spec("damaged", validate_every=0), "run-i")
    assert "step-00000005" in of(events, "warning")[0]["text"]
    assert of(events, "start")[0]["step"] == 4
    assert events[-1]["step"] == 6


def test_a_name_that_another_model_has_gets_a_number(music_and_model: Library) -> None:
    events = go(music_and_model, spec(NAME, steps=1, validate_every=0), "run-j")
    assert events[-1]["model"] == f"{NAME}-2"


def test_a_library_without_tracks_says_so(library: Library) -> None:
    write_tiny_model(library)
    with library, pytest.raises(MusicHelperError):
        go(library, spec("empty"), "run-a")
    add_tracks(library, number=1)
    with library:
        events = go(library, spec("one", steps=1), "run-b")
    assert of(events, "warning")  # nothing could be held out


def test_the_schedule() -> None:
    rates = [learning_rate(step, 100, 10, 1.0) for step in range(100)]
    assert rates[0] < rates[5] < rates[9] < 1.0
    assert rates[10] == 1.0
    assert rates[99] == pytest.approx(0.1, abs=0.01)
    assert all(a >= b for a, b in pairwise(rates[10:]))
