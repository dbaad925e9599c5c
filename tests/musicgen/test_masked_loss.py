from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from assistant.musicgen import backend
from assistant.musicgen.chroma import Melodies
from assistant.musicgen.conditions import Conditions
from assistant.musicgen.forward import head_deltas, hidden_states
from assistant.musicgen.lora import Adapters, fold
from assistant.musicgen.loss import count_targets, delayed, delays_of, head_losses, scales_of

backend.prepare()

DELAYS = [[0, 1, 2, 3], [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 0]]
CAPTIONS = ["a slow jazz tune", None, "rock"]


def model(delays: list[int], layers: int = 2) -> Any:
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    from assistant.musicgen.loading import use_word_tokenizer
    from tests.musicgen.tiny_models import tiny_configs

    _codec, config = tiny_configs()
    config["transformer_lm"].update(n_q=len(delays), num_layers=layers)
    config["codebooks_pattern"]["delay"]["delays"] = delays
    torch.manual_seed(3)
    lm: Any = builders.get_lm_model(OmegaConf.create(config))
    lm.cfg = OmegaConf.create(config)
    use_word_tokenizer(lm)
    return lm.train()


def batch(lm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens of three crops, one of them shorter, and where there are some."""
    tokens = torch.randint(0, lm.card, (3, lm.n_q, 25))
    present = torch.ones_like(tokens, dtype=torch.bool)
    tokens[1, :, 17:], present[1, :, 17:] = lm.special_token_id, False
    return tokens, present


def ours(
    lm: Any,
    tokens: torch.Tensor,
    captions: Sequence[str | None],
    *,
    adapters: Adapters | None = None,
    recompute: bool = False,
    melodies: Melodies | None = None,
    compute: Callable[..., torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and that of each codebook."""
    delays = delays_of(lm)
    read, targets = delayed(tokens, delays, lm.special_token_id)
    counts = count_targets(tokens, delays, lm.special_token_id)
    conditions, mask = Conditions(lm).tensors(captions, melodies)
    hidden = hidden_states(
        lm, read, conditions, adapters=adapters, mask=mask, recompute=recompute, compute=compute
    )
    loss, sums = head_losses(lm, hidden, targets, scales_of(counts), deltas=head_deltas(lm, adapters))
    return loss, sums / counts.clamp(min=1)


def reference(
    lm: Any,
    tokens: torch.Tensor,
    present: torch.Tensor,
    captions: Sequence[str | None],
    conditions: dict[str, Any] | None = None,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """audiocraft's pattern, its model's forward, and its solver's cross-entropy."""
    from audiocraft.solvers.musicgen import MusicGenSolver

    output = lm.compute_predictions(tokens, [], conditions or Conditions(lm).tensors(captions)[0])
    loss, each = MusicGenSolver._compute_cross_entropy(
        None,  # type: ignore[arg-type]  # it uses nothing of the solver
        output.logits,
        tokens,
        output.mask & present,
    )
    return loss, each


def gradients(lm: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    lm.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: one.grad.clone() for name, one in lm.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("delays", DELAYS)
def test_the_delayed_sequence_is_that_of_audiocraft(delays: list[int]) -> None:
    lm = model(delays)
    tokens, _present = batch(lm)
    pattern = lm.pattern_provider.get_pattern(tokens.shape[-1])
    sequence, _indexes, _mask = pattern.build_pattern_sequence(
        tokens, lm.special_token_id, keep_only_valid_steps=True
    )
    read, targets = delayed(tokens, delays_of(lm), lm.special_token_id)
    assert torch.equal(read, sequence[..., :-1])
    assert torch.equal(targets, sequence[..., 1:])


@pytest.mark.parametrize("delays", DELAYS)
def test_loss_and_gradients_are_those_of_audiocraft(delays: list[int]) -> None:
    lm = model(delays)
    tokens, present = batch(lm)
    theirs, theirs_each = reference(lm, tokens, present, CAPTIONS)
    expected = gradients(lm, theirs)
    loss, each = ours(lm, tokens, CAPTIONS)
    found = gradients(lm, loss)
    assert float(loss.detach()) == pytest.approx(float(theirs.detach()), abs=1e-6)
    assert each.tolist() == pytest.approx([float(value) for value in theirs_each], abs=1e-6)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert float((found[name] - gradient).abs().max()) <= 1e-5 * float(gradient.abs().max()), name


def test_layers_that_are_computed_again_give_the_same_gradients() -> None:
    lm = model([0, 1, 2, 3])
    tokens, _present = batch(lm)
    kept = gradients(lm, ours(lm, tokens, CAPTIONS)[0])
    again = gradients(lm, ours(lm, tokens, CAPTIONS, recompute=True)[0])
    assert all(torch.allclose(kept[name], again[name], atol=1e-7) for name in kept)


def test_adapters_begin_as_nothing_and_are_the_same_when_folded() -> None:
    lm = model([0, 1, 2, 3])
    tokens, _present = batch(lm)
    plain, _each = ours(lm, tokens, CAPTIONS)
    adapters = Adapters(lm, rank=4, alpha=8.0, targets=("attention", "cross", "feedforward", "heads"))
    fresh, _each = ours(lm, tokens, CAPTIONS, adapters=adapters)
    assert torch.equal(fresh, plain)

    loss, _each = ours(lm, tokens, CAPTIONS, adapters=adapters)
    loss.backward()  # type: ignore[no-untyped-call]
    matrices = dict(adapters.named())
    assert all(one.grad is not None for one in matrices.values())
    with torch.no_grad():
        for one in matrices.values():
            one.normal_(std=0.1)
    adapted, _each = ours(lm, tokens, CAPTIONS, adapters=adapters)
    assert abs(float(adapted) - float(plain)) > 1e-3
    fold(lm, matrices, 8.0 / 4)
    folded, _each = ours(lm, tokens, CAPTIONS)
    assert float(folded) == pytest.approx(float(adapted), abs=1e-5)


def test_a_caption_gives_the_same_condition_whatever_its_batch() -> None:
    lm = model([0, 1, 2, 3])
    conditions = Conditions(lm)
    together, _mask = conditions.tensors(["jazz", "a long caption of many words about rock"])[0][
        "description"
    ]
    alone, _mask = conditions.tensors(["jazz"])[0]["description"]
    none, mask = conditions.tensors([None])[0]["description"]
    assert torch.equal(together[:1], alone)
    assert int(mask.sum()) == 0
    assert float(none.detach().abs().max()) == 0.0
