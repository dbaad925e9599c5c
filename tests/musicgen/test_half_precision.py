from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from assistant.library.library import Library
from assistant.musicgen import attention, backend
from assistant.musicgen.attention import attend
from assistant.musicgen.dataset import Batch
from assistant.musicgen.learner import Learner
from assistant.musicgen.plan import Plan
from assistant.musicgen.spec import FinetuneSpec
from tests.musicgen.finetunes import go, of, spec
from tests.musicgen.test_masked_loss import CAPTIONS, batch, gradients, model, reference
from tests.musicgen.test_what_must_hold import DELAYS

backend.prepare()


def heard(
    parts: list[torch.Tensor], heads: int, causal: bool, words: torch.Tensor | None
) -> tuple[torch.Tensor, ...]:
    """torch's own attention in float32, and its gradients."""
    q, k, v = (part.float().detach().requires_grad_() for part in parts)
    a, b, c = (part.view(*part.shape[:2], heads, -1).transpose(1, 2) for part in (q, k, v))
    out = (
        F.scaled_dot_product_attention(a, b, c, attn_mask=words, is_causal=causal).transpose(1, 2).flatten(2)
    )
    return out, *torch.autograd.grad(out.square().sum(), (q, k, v))


@pytest.mark.parametrize("causal", [True, False])
def test_attention_of_half_precision_on_a_cpu_is_that_of_torch(causal: bool) -> None:
    torch.manual_seed(0)
    keys = 300 if causal else 9
    shapes = ((2, 300, 64), (2, keys, 64), (2, keys, 64))
    parts = [torch.randn(shape, dtype=torch.bfloat16, requires_grad=True) for shape in shapes]
    words = None
    if not causal:
        words = torch.ones(2, 1, 1, keys, dtype=torch.bool)
        words[1, ..., 4:] = False
    expected = heard(parts, 4, causal, words)
    with torch.autocast("cpu", torch.bfloat16):
        out = attend(parts[0], parts[1], parts[2], 4, causal=causal, words=words)
    found = (out, *torch.autograd.grad(out.float().square().sum(), parts))
    for one, other in zip(found, expected, strict=True):
        assert float((one.float() - other).norm().detach()) < 0.02 * float(other.norm().detach())


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("kept", "scores"), [(1 << 24, 1 << 22), (0, 1000)])
def test_attention_on_a_cpu_is_exact_in_full_precision(
    causal: bool, kept: int, scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_KEPT_BYTES", kept)
    monkeypatch.setattr(attention, "_SCORES_BYTES", scores)
    torch.manual_seed(0)
    parts = [torch.randn(2, 300, 64, requires_grad=True) for _part in "qkv"]
    words = None
    if not causal:
        words = torch.ones(2, 1, 1, 300, dtype=torch.bool)
        words[1, ..., 170:] = False
    out = attend(parts[0], parts[1], parts[2], 4, causal=causal, words=words)
    found = (out, *torch.autograd.grad(out.square().sum(), parts))
    for one, other in zip(found, heard(parts, 4, causal, words), strict=True):
        assert float((one - other).abs().max().detach()) < 1e-5 * float(other.abs().max().detach())


def test_half_precision_gives_the_loss_and_the_gradients_of_audiocraft_but_for_rounding() -> None:
    lm = model(DELAYS)
    tokens, present = batch(lm)
    loss, _each = reference(lm, tokens, present, CAPTIONS)
    expected = gradients(lm, loss)
    plan = Plan("full", 0, 0.0, 3, 1, False, 0, ())
    learner = Learner(lm, FinetuneSpec(name="x", gradient_clip=0.0), plan, torch.bfloat16)
    found: dict[str, torch.Tensor] = {}
    learner.optimizer.step = lambda: found.update(  # type: ignore[assignment,method-assign]
        {name: one.grad.clone() for name, one in learner.trained.items() if one.grad is not None}
    )
    told = learner.update(Batch(tokens.numpy(), list(CAPTIONS)), 0.0, 1)
    assert told.losses.mean == pytest.approx(float(loss.detach()), rel=1e-3)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert found[name].dtype == torch.float32
        assert float(F.cosine_similarity(found[name].flatten(), gradient.flatten(), 0)) > 0.999, name


def test_a_cpu_trains_with_the_products_that_its_hardware_has(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for flags, number in (("avx2 avx512_bf16 fma", torch.bfloat16), ("avx2 fma", torch.float32)):
        monkeypatch.setattr(Path, "read_text", lambda _self, *_rest, flags=flags: f"flags : {flags}\n")
        assert backend.choose_training_precision("auto", cpu) == number
    assert backend.choose_training_precision("float32", cpu) == torch.float32
    assert backend.choose_precision("auto", cpu) == torch.float32  # of clips


def test_held_out_music_is_learnt_as_well_in_half_precision(music_and_model: Library) -> None:
    curves = [
        [
            event["loss"]
            for event in of(
                go(
                    music_and_model,
                    spec(f"in-{precision}", steps=24, validate_every=8, precision=precision),
                    f"run-{precision}",
                ),
                "validation",
            )
        ]
        for precision in ("float32", "bfloat16")
    ]
    exact, half = curves
    assert exact[0] - exact[-1] > 0.1
    assert half == pytest.approx(exact, abs=0.05 * (exact[0] - exact[-1]))
