"""What trainers of MusicGen have got wrong, each as what must hold instead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from assistant.library.library import Library
from assistant.musicgen import backend, forward
from assistant.musicgen.conditions import Conditions
from assistant.musicgen.dataset import Batch, Crops, Example, choose_examples, split
from assistant.musicgen.forward import hidden_states
from assistant.musicgen.learner import Learner
from assistant.musicgen.loss import delayed, head_losses, scales_of
from assistant.musicgen.optimizer import clip_by_norm, learning_rate
from assistant.musicgen.plan import Plan
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.texts import TextMix, Texts, draw
from assistant.musicgen.tokens import TokenCache
from tests.musicgen.finetunes import go, of, spec
from tests.musicgen.random_t5 import use_random_t5
from tests.musicgen.test_masked_loss import gradients, model, ours
from tests.musicgen.tiny_models import add_tracks, write_tiny_model

backend.prepare()

DELAYS = [0, 1, 2, 3]
CAPTIONS = ["jazz", "a slow rock tune", None, "pop"]


def learner(micro: int, **values: Any) -> Learner:
    plan = Plan("full", 0, 0.0, micro, 4 // micro, False, 0, ())
    return Learner(model(DELAYS), FinetuneSpec(name="x", gradient_clip=0.0, **values), plan, torch.float32)


def crops() -> Batch:
    return Batch(np.random.default_rng(0).integers(0, 32, (4, 4, 20)), list(CAPTIONS))


def test_every_crop_of_a_batch_has_a_gradient() -> None:
    lm = model(DELAYS)
    tokens = torch.from_numpy(crops().tokens)
    read, targets = delayed(tokens, DELAYS, lm.special_token_id)
    embedded, mask = Conditions(lm).tensors(CAPTIONS)
    hidden = hidden_states(lm, read, embedded, mask=mask)
    hidden.retain_grad()
    loss, _sums = head_losses(lm, hidden, targets, scales_of(torch.tensor([80, 76, 72, 68])))
    loss.backward()  # type: ignore[no-untyped-call]
    assert hidden.grad is not None
    shares = hidden.grad.norm(dim=(1, 2))
    assert float(shares.min()) > 0.5 * float(shares.max())


def test_accumulated_passes_all_count() -> None:
    at_once, in_parts = learner(4), learner(1)
    for one in (at_once, in_parts):
        one.update(crops(), 1e-2, 1)
    for name, value in at_once.trained.items():
        assert torch.allclose(value, in_parts.trained[name], atol=1e-5), name


@pytest.mark.parametrize("limit", [0.05, 50.0])
def test_gradients_are_clipped_as_by_torch(limit: float) -> None:
    ours_, theirs = ([torch.zeros(3, 4), torch.zeros(5), torch.zeros(2)] for _side in range(2))
    for one, other in zip(ours_[:2], theirs[:2], strict=True):
        one.grad = torch.randn_like(one)
        other.grad = one.grad.clone()
    assert clip_by_norm(ours_, limit) == pytest.approx(float(torch.nn.utils.clip_grad_norm_(theirs, limit)))
    for one, other in zip(ours_[:2], theirs[:2], strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.allclose(one.grad, other.grad)


def test_passes_weigh_as_many_targets_as_they_have() -> None:
    batch = crops()
    batch.tokens[1:, :, 5:] = 32  # three short crops: a mean of means would weigh them too much
    losses = [learner(micro).update(batch, 0.0, 1).losses for micro in (4, 1)]
    assert losses[0].each == pytest.approx(losses[1].each, abs=1e-5)


def test_a_caption_stays_with_its_crop() -> None:
    lm = model(DELAYS)
    tokens = torch.from_numpy(crops().tokens)
    together = ours(lm, tokens, CAPTIONS)[1]
    alone = [ours(lm, tokens[row : row + 1], CAPTIONS[row : row + 1])[1] for row in range(4)]
    assert together.tolist() == pytest.approx(torch.stack(alone).mean(0).tolist(), abs=1e-5)


def test_padding_is_never_learnt() -> None:
    lm = model(DELAYS)
    tokens = torch.from_numpy(crops().tokens)
    tokens[:, :, 12:] = lm.special_token_id
    padded, cut = ours(lm, tokens, CAPTIONS)[0], ours(lm, tokens[:, :, :15], CAPTIONS)[0]
    assert float(padded.detach()) == pytest.approx(float(cut.detach()), abs=1e-6)
    found = gradients(lm, ours(lm, tokens, CAPTIONS)[0])
    expected = gradients(lm, ours(lm, tokens[:, :, :15], CAPTIONS)[0])
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)


def test_tracks_without_captions_and_short_tracks_are_learnt(library: Library) -> None:
    add_tracks(library, number=4, seconds=1.0)
    write_tiny_model(library)
    for path in library.root.glob("*/*.txt"):
        path.unlink()
    with library:
        wanted = replace(spec("short", steps=2, crop_seconds=2.0), validate_every=0)
        events = go(library, wanted, "run-short")
    start = of(events, "start")[0]
    assert start["tracks"] + start["held_out"] == 4
    assert len(of(events, "step")) == 2


def test_a_track_of_exactly_a_crop_is_learnt_whole(tmp_path: Path) -> None:
    cache = TokenCache(tmp_path, "codec", 4)
    cache.add("one", np.arange(80).reshape(4, 20).astype(np.int16))
    one = Example("one", "jazz/1.wav", None, "jazz", "")
    drawn = Crops(tmp_path, [one], cache, frames=20, padding=999, mix=TextMix(), seed=0).batch(0, 1)
    assert drawn.tokens[0].tolist() == cache.read("one").tolist()


def test_field_dropout_drops_and_does_not_keep() -> None:
    texts = Texts("A tune.", ("jazz", "calm", "piano"), "")

    def words(dropout: float) -> list[int]:
        mix = TextMix(condition_dropout=0.0, tags_share=1.0, field_dropout=dropout)
        chooser = np.random.default_rng(0)
        return [len((draw(texts, mix, chooser) or "").split(", ")) for _number in range(300)]

    assert set(words(0.0)) == {3}
    assert set(words(1.0)) == {1}  # never nothing at all: that is for condition dropout
    assert 2.0 < float(np.mean(words(0.2))) < 2.7


def test_short_runs_leave_the_warm_up() -> None:
    assert max(learning_rate(step, 300, 4000, 1.0) for step in range(300)) == 1.0


def test_dropout_of_a_configuration_is_off() -> None:
    lm = model(DELAYS)
    for layer in lm.transformer.layers:
        layer.dropout.p = layer.dropout1.p = layer.dropout2.p = layer.dropout_cross.p = 0.5
        layer.self_attn.dropout = layer.cross_attention.dropout = 0.5
    tokens = torch.from_numpy(crops().tokens)
    assert torch.equal(ours(lm, tokens, CAPTIONS)[0], ours(lm, tokens, CAPTIONS)[0])


def test_positions_are_exact_in_half_precision() -> None:
    lm = model(DELAYS)
    exact = forward._position_table(torch.zeros(1, 1500, lm.dim), lm.transformer)
    half = forward._position_table(torch.zeros(1, 1500, lm.dim, dtype=torch.bfloat16), lm.transformer)
    assert half.dtype == torch.float32
    assert torch.equal(exact, half)


def test_no_words_and_an_empty_caption_are_the_same_and_finite() -> None:
    lm = use_random_t5(model(DELAYS))
    tokens = torch.from_numpy(crops().tokens)
    losses = [ours(lm, tokens, [text, "rock and roll", text, "pop"])[0] for text in (None, "")]
    assert torch.equal(losses[0], losses[1])
    assert all(bool(torch.isfinite(one).all()) for one in gradients(lm, losses[0]).values())


def test_held_out_music_is_never_learnt(music: Library) -> None:
    learnt, held = split(choose_examples(music, spec("x")), seed=0)
    assert held
    assert not {example.content for example in learnt} & {example.content for example in held}
