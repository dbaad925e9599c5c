from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from assistant.library.library import Library
from assistant.musicgen import compiling, preparing
from assistant.musicgen.compiling import compiled_layer, why_not_compiled
from assistant.musicgen.lora import Adapters
from assistant.musicgen.plan import Plan
from assistant.musicgen.spec import TARGETS, FinetuneSpec
from tests.musicgen.finetunes import go, of, spec, stop_after
from tests.musicgen.test_masked_loss import CAPTIONS, batch, gradients, model, ours

PLAN = Plan("full", 0, 0.0, 4, 2, False, 0, ())
LONG = FinetuneSpec(name="x", compile=True, steps=10_000)


def test_layers_are_compiled_only_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    card = torch.device("cuda")
    monkeypatch.setattr(compiling, "has_compiler", lambda: True)
    assert why_not_compiled(LONG, PLAN, card) is None
    assert "CPU" in str(why_not_compiled(LONG, PLAN, torch.device("cpu")))
    assert "60 steps" in str(why_not_compiled(replace(LONG, steps=60), PLAN, card))
    assert "shared out" in str(why_not_compiled(LONG, replace(PLAN, sharded=True), card))
    monkeypatch.setattr(compiling, "has_compiler", lambda: False)
    assert "compiler" in str(why_not_compiled(LONG, PLAN, card))


def test_a_compiled_layer_computes_the_same() -> None:
    lm = model([0, 1, 2, 3])
    tokens, _present = batch(lm)
    plain = ours(lm, tokens, CAPTIONS)[0]
    expected = gradients(lm, plain)
    traced = ours(lm, tokens, CAPTIONS, compute=compiled_layer("aot_eager"))[0]
    assert float(traced.detach()) == pytest.approx(float(plain.detach()), abs=1e-6)
    found = gradients(lm, traced)
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[name], one, atol=1e-6) for name, one in expected.items())


def test_layers_share_what_is_compiled() -> None:
    lm = model([0, 1, 2, 3], layers=12)
    adapters = Adapters(lm, rank=2, alpha=2.0, targets=TARGETS)
    tokens, _present = batch(lm)
    torch._dynamo.reset()
    counters.clear()
    compute = compiled_layer("eager")
    for steps in (25, 22, 19):
        loss = ours(lm, tokens[..., :steps], CAPTIONS, adapters=adapters, compute=compute)[0]
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            ours(lm, tokens[..., :steps], CAPTIONS, adapters=adapters, compute=compute)
    # One length, any length, and both without gradients.
    assert counters["stats"]["unique_graphs"] <= 4


@pytest.mark.slow
def test_a_compiled_fine_tune_learns_and_goes_on_as_another(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the compiler that a run on a GPU has; on a CPU it makes C++."""
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        pytest.skip("there is no C compiler")
    monkeypatch.setattr(preparing, "why_not_compiled", lambda *_asked: None)
    wanted: dict[str, Any] = {"method": "full", "optimizer": "adamw8bit", "compile": True}

    def losses(name: str, **values: Any) -> list[float]:
        events = go(music_and_model, spec(name, **{**wanted, **values}), f"run-{name}")
        return [event["loss"] for event in of(events, "step") + of(events, "validation")]

    eager, compiled = losses("eager", compile=False), losses("compiled")
    assert compiled == pytest.approx(eager, rel=1e-4)
    go(music_and_model, spec("parts", **wanted), "run-parts", stop_after(3))
    assert losses("parts") == compiled[3:6] + compiled[-1:]
