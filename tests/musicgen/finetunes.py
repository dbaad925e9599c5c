"""What the tests of fine-tunes share: a short one, its events, its weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch

from assistant.library.library import Library
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.training import finetune
from tests.musicgen.tiny_models import NAME

Events = list[dict[str, Any]]


def spec(name: str, **values: Any) -> FinetuneSpec:
    """A fine-tune of seconds."""
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
        "sample_every": 0,
        "patience": 0,
        "device": "cpu",
        "precision": "float32",
        **values,
    }
    return FinetuneSpec(**chosen).check()


def go(
    library: Library, wanted: FinetuneSpec, run: str, control: Callable[[], str | None] = lambda: None
) -> Events:
    """Do it to its end; its events."""
    folder = library.paths.runs / run
    folder.mkdir(parents=True, exist_ok=True)
    events = list(finetune(wanted, library.root, folder, control))
    json.dumps(events)  # each event is plain
    return events


def weights(library: Library, name: str) -> dict[str, torch.Tensor]:
    """The language model of a model folder."""
    state: dict[str, torch.Tensor] = torch.load(
        library.paths.models / name / "state_dict.bin", weights_only=True
    )["best_state"]
    return state


def of(events: Events, kind: str) -> Events:
    """The events of a kind."""
    return [event for event in events if event["event"] == kind]


def stop_after(steps: int) -> Callable[[], str | None]:
    """Asks to stop before this step."""
    asked = iter(range(1_000_000))
    return lambda: "stop" if next(asked) >= steps else None
