from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from assistant.config import Settings
from assistant.musicgen import plan as plans
from assistant.musicgen.spec import FinetuneSpec
from tests.bench import train_gpu_memory
from tests.bench.fake_card import Card
from tests.bench.train_gpu_memory import GIB, PARAMETERS, TAKEN, attending, counted
from tests.bench.train_peers import SIZES

SCALARS = 16
"""Bytes of losses that torch's own backward pass keeps a little longer."""
SMALL: dict[str, Any] = {"batch_size": 2, "accumulation": 2, "crop_seconds": 1.0}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(SIZES, "tiny", (64, 2, 2, 1, 2))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("values", "recompute"),
    [
        ({"method": "full"}, False),
        ({"method": "full", "optimizer": "adamw8bit", "ema": 0.9}, True),
        ({"method": "lora", "rank": 4}, False),
    ],
    ids=["full", "eight bits and an average", "adapters"],
)
def test_what_is_counted_without_memory_is_what_is_taken(
    tiny: None, values: dict[str, Any], recompute: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = plans.choose_plan

    def plan(*args: Any, **named: Any) -> plans.Plan:
        return replace(chosen(*args, **named), recompute=recompute)

    monkeypatch.setattr(train_gpu_memory, "choose_plan", plan)
    spec = FinetuneSpec(name="x", **{**SMALL, **values}).check()
    real = counted(Card("cpu", fake=False), "tiny", spec, None)
    fake = counted(Card("cpu"), "tiny", spec, None)
    assert fake.kinds == pytest.approx(real.kinds, abs=SCALARS)
    assert fake.peak == pytest.approx(real.peak, abs=SCALARS)


@pytest.mark.parametrize(("size", "gib"), [("small", 6), ("medium", 12)])
def test_adapters_fit_small_cards(size: str, gib: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of the layers are counted, and the others, which differ in nothing, added."""
    spec = FinetuneSpec.from_settings(Settings(), name="x")
    dim, heads, layers, *clip = SIZES[size]
    memory = gib * GIB - TAKEN
    peaks = []
    for some in (2, 4):
        monkeypatch.setitem(SIZES, size, (dim, heads, some, *clip))
        wanted = plans.choose_plan(
            spec, plans.Shape(PARAMETERS[size], dim, layers, 500), half=True, memory=memory
        )
        monkeypatch.setattr(train_gpu_memory, "choose_plan", lambda *_args, plan=wanted, **_named: plan)
        with attending("fused"):
            found = counted(Card(), size, spec, memory)
        assert sum(found.waits.values()) <= 2
        peaks.append(max(found.peak, found.loading))
    whole = peaks[0] + (peaks[1] - peaks[0]) // 2 * (layers - 2)
    assert whole < memory
    assert whole < wanted.memory_bytes < 1.3 * whole
