from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from assistant.errors import MusicHelperError
from assistant.library.library import Library
from assistant.musicgen import loss, training
from assistant.musicgen.models import list_models, read_card
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.training import finetune, learning_rate
from tests.musicgen.tiny_models import NAME, add_tracks, write_tiny_model


def spec(name: str, **values: Any) -> FinetuneSpec:
    chosen: dict[str, Any] = {
        "name": name,
        "model": NAME,
        "steps": 6,
        "batch_size": 3,
        "accumulation": 2,
        "crop_seconds": 1.0,
        "learning_rate": 3e-3,
        "warmup_steps": 2,
        "validate_every": 3,
        "checkpoint_every": 2,
        "device": "cpu",
        **values,
    }
    return FinetuneSpec(**chosen).check()


def never() -> None:
    return None


def go(
    library: Library, wanted: FinetuneSpec, run: str, control: Callable[[], str | None] = never
) -> list[dict[str, Any]]:
    folder = library.paths.runs / run
    folder.mkdir(parents=True, exist_ok=True)
    events = list(finetune(wanted, library.root, folder, control))
    json.dumps(events)  # each event is plain
    return events


def weights(library: Library, name: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(
        library.paths.models / name / "state_dict.bin", weights_only=True
    )["best_state"]
    return state


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == kind]


def stop_after(steps: int) -> Callable[[], str | None]:
    asked = iter(range(1_000_000))
    return lambda: "stop" if next(asked) >= steps else None


def test_stopping_and_going_on_gives_the_same_model(music_and_model: Library) -> None:
    library = music_and_model
    straight = go(library, spec("straight"), "run-a")
    first = go(library, spec("parts"), "run-b", stop_after(3))
    assert first[-1]["state"] == "stopped"
    assert first[-1]["step"] == 3
    second = go(library, spec("parts"), "run-b")
    assert second[-1] == {"event": "end", "state": "done", "model": "parts", "step": 6, "steps": 6}
    assert len(of(straight, "step")) == 6
    assert [e["loss"] for e in of(straight, "step")] == [
        e["loss"] for e in of(first, "step") + of(second, "step")
    ]
    a, b = weights(library, "straight"), weights(library, "parts")
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
    assert kept == ["step-00000004", "step-00000006"]
    card = read_card(library.paths.models / "plain")
    assert card["kind"] == "fine-tuned"
    assert card["base"] == NAME
    assert card["licence"] == "own"
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


def test_a_loss_that_is_no_number_is_left_out_and_then_explained(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loss.mean_loss
    calls = iter(range(1000))

    def broken(sums: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss, each = real(sums, counts)
        return (loss * float("nan") if next(calls) in (2, 3) else loss), each

    monkeypatch.setattr(training, "mean_loss", broken)
    events = go(music_and_model, spec("once", validate_every=0), "run-g")
    assert len(of(events, "warning")) == 1
    assert len(of(events, "step")) == 5
    assert all(torch.isfinite(value).all() for value in weights(music_and_model, "once").values())

    monkeypatch.setattr(training, "mean_loss", lambda sums, counts: (sums.sum() * float("nan"), sums))
    with pytest.raises(MusicHelperError) as caught:
        go(music_and_model, spec("never", validate_every=0), "run-h")
    assert "learning rate" in caught.value.hint
    assert not (music_and_model.paths.models / "never").exists()


def test_a_damaged_checkpoint_costs_only_itself(music_and_model: Library) -> None:
    go(music_and_model, spec("damaged", validate_every=0), "run-i", stop_after(5))
    checkpoints = music_and_model.paths.runs / "run-i" / "checkpoints"
    (checkpoints / "step-00000005" / "state.pt").write_bytes(b"half")
    events = go(music_and_model, spec("damaged", validate_every=0), "run-i")
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
