from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from assistant.musicgen import backend
from assistant.musicgen.conditions import condition_tensors
from assistant.musicgen.loss import cross_entropies, mean_loss, pattern_sequence

backend.prepare()


def model(delays: list[int]) -> Any:
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    from assistant.musicgen.loading import use_word_tokenizer
    from tests.musicgen.tiny_models import tiny_configs

    _codec, config = tiny_configs()
    config["transformer_lm"]["n_q"] = len(delays)
    config["codebooks_pattern"]["delay"]["delays"] = delays
    torch.manual_seed(3)
    lm: Any = builders.get_lm_model(OmegaConf.create(config))
    lm.cfg = OmegaConf.create(config)
    use_word_tokenizer(lm)
    return lm.train()


@pytest.mark.parametrize("delays", [[0, 1, 2, 3], [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 0]])
def test_the_loss_is_that_of_audiocraft(delays: list[int]) -> None:
    from audiocraft.solvers.musicgen import MusicGenSolver

    lm = model(delays)
    tokens = torch.randint(0, lm.card, (3, len(delays), 25))
    present = torch.ones_like(tokens, dtype=torch.bool)
    tokens[1, :, 17:], present[1, :, 17:] = lm.special_token_id, False  # a track shorter than the crop
    captions = ["a slow jazz tune", None, "rock"]

    read, targets = pattern_sequence(lm, tokens)
    logits = lm(read, [], condition_tensors(lm, captions))
    loss, each = mean_loss(*cross_entropies(logits, targets, lm.special_token_id))

    output = lm.compute_predictions(tokens, [], condition_tensors(lm, captions))
    reference, reference_each = MusicGenSolver._compute_cross_entropy(
        None,  # type: ignore[arg-type]  # it uses nothing of the solver
        output.logits,
        tokens,
        output.mask & present,
    )
    assert float(loss.detach()) == pytest.approx(float(reference.detach()), rel=1e-6)
    assert each.tolist() == pytest.approx([float(value) for value in reference_each], rel=1e-6)

    loss.backward()  # type: ignore[no-untyped-call]
    gradient = lm.transformer.layers[0].linear1.weight.grad.clone()
    lm.zero_grad()
    reference.backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(gradient, lm.transformer.layers[0].linear1.weight.grad, rtol=1e-4, atol=1e-7)


def test_every_crop_of_a_batch_counts_and_padding_does_not() -> None:
    lm = model([0, 1, 2, 3])
    tokens = torch.randint(0, lm.card, (2, 4, 12))
    tokens[0] = lm.special_token_id
    read, targets = pattern_sequence(lm, tokens)
    logits = lm(read, [], condition_tensors(lm, ["jazz", "rock"]))
    sums, counts = cross_entropies(logits, targets, lm.special_token_id)
    assert counts.tolist() == [12, 11, 10, 9]  # of the second crop only; a delayed codebook begins later
    assert all(math.isfinite(value) for value in sums.tolist())
    loss, _each = mean_loss(*cross_entropies(logits[:1], targets[:1], lm.special_token_id))
    assert float(loss.detach()) == 0.0


def test_a_caption_gives_the_same_condition_whatever_its_batch() -> None:
    lm = model([0, 1, 2, 3])
    together, _mask = condition_tensors(lm, ["jazz", "a long caption of many words about rock"])[
        "description"
    ]
    alone, _mask = condition_tensors(lm, ["jazz"])["description"]
    none, mask = condition_tensors(lm, [None])["description"]
    assert torch.equal(together[:1], alone)
    assert int(mask.sum()) == 0
    assert float(none.detach().abs().max()) == 0.0
