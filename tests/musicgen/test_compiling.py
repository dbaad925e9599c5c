from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from assistant.musicgen import compiling
from assistant.musicgen.compiling import compiled_layer, why_not_compiled
from assistant.musicgen.plan import Plan
from assistant.musicgen.spec import FinetuneSpec
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
