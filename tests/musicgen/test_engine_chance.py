"""Gate C: the law of the sampler is audiocraft's, and a seed's clip is the same alone and among others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from assistant.musicgen.engine import engine as engines
from assistant.musicgen.engine.engine import Clip, Request
from assistant.musicgen.engine.noise import philox, uniforms
from assistant.musicgen.engine.sampler import Sampling, choose, draw_on_device
from tests.musicgen.engines import codec, engine, language_model, tokens

DRAWS = 200_000
Draw = Callable[[torch.Tensor, torch.Tensor, Sampling], torch.Tensor]


def words(*numbers: int) -> np.ndarray[Any, Any]:
    return np.array(numbers, np.uint64)


def test_philox_is_the_published_one() -> None:
    """The known answers that come with Random123."""
    full = 0xFFFFFFFF
    pi = words(0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), words(0xA4093822, 0x299F31D0)
    for counter, key, expected in (
        (words(0, 0, 0, 0), words(0, 0), words(0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            words(full, full, full, full),
            words(full, full),
            words(0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (*pi, words(0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ):
        assert np.array_equal(philox(counter, key), expected)


def test_a_number_has_its_place() -> None:
    whole = uniforms([(5, 0), (6, 0), (5, 1)], 0, 40, 8)
    assert np.array_equal(uniforms([(6, 0)], 10, 7, 8), whole[10:17, 1:2])
    assert np.array_equal(uniforms([(5, 1)], 0, 40, 4), whole[:, 2:, :4])
    assert len(np.unique(whole)) > 0.99 * whole.size
    assert 0 < whole.min() < 0.01
    assert 0.99 < whole.max() < 1


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(0.8, top_k=20),
        Sampling(1.3, top_k=100),
        Sampling(1.0, top_k=0),
        Sampling(1.0, top_k=20, top_p=0.7),
        Sampling(1.0, top_k=1),
    ],
)
@pytest.mark.parametrize("by", [choose, draw_on_device])
def test_the_law_is_audiocrafts(sampling: Sampling, by: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    from audiocraft.utils import utils

    logits = torch.randn(150, generator=torch.Generator().manual_seed(1)) * 2
    law: list[torch.Tensor] = []

    def caught(found: torch.Tensor, **_more: Any) -> torch.Tensor:
        law.append(found)
        return torch.zeros((1, 1), dtype=torch.long)

    monkeypatch.setattr(utils, "multinomial", caught)
    probabilities = torch.softmax(logits / sampling.temperature, dim=-1)[None]
    order = torch.arange(150)
    if sampling.top_p > 0:
        order = torch.sort(probabilities, dim=-1, descending=True)[1][0]
        utils.sample_top_p(probabilities.clone(), sampling.top_p)
    elif sampling.top_k > 0:
        utils.sample_top_k(probabilities.clone(), sampling.top_k)
    else:
        law.append(probabilities)
    expected = torch.zeros(150).scatter(0, order, law[0][0]).double().numpy() * DRAWS
    found = []
    for seed in range(DRAWS // 50_000):
        uniform = torch.from_numpy(uniforms([(seed, 0)], 0, 12_500, 4)).view(-1)
        drawn = by(logits.expand(len(uniform), -1), uniform, sampling)
        found.append(torch.bincount(drawn, minlength=150).numpy())
    counts = np.sum(found, axis=0)
    assert counts[expected == 0].sum() == 0
    often = expected >= 5
    rest = [counts[~often].sum()], [expected[~often].sum()]
    if rest[1][0] < 5:
        rest = [], []
    observed = np.concatenate([counts[often], rest[0]])
    wanted = np.concatenate([expected[often], rest[1]])
    if len(wanted) > 1:
        assert chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-3


def test_equal_logits_are_drawn_or_left_out_together() -> None:
    """As audiocraft has it: all that equal the last of the likeliest."""
    logits = torch.tensor([1.0, 2.0, 1.0, 0.0, 2.0, 1.0]).expand(4_000, -1)
    uniform = torch.from_numpy(uniforms([(1, 0)], 0, 1_000, 4)).view(-1)
    for top_k, expected in ((1, {1, 4}), (2, {1, 4}), (3, {0, 1, 2, 4, 5}), (6, {0, 1, 2, 3, 4, 5})):
        for by in (choose, draw_on_device):
            assert set(by(logits, uniform, Sampling(1.0, top_k)).tolist()) == expected


@pytest.mark.parametrize(
    ("precision", "alone"), [("float32", True), ("float16", True), ("int8", True), ("float32", False)]
)
def test_a_clip_is_the_same_alone_and_among_eight(precision: str, alone: bool) -> None:
    lm = language_model(dim=96, heads=4, layers=3)
    made = engine(lm, precision, alone=alone)
    prompts = ["", "rock", *(" ".join(["blues"] * number) for number in (3, 9, 15, 16, 20, 40))]
    clips = [Clip(seed, (prompt,)) for seed, prompt in enumerate(prompts, 7)]
    request = Request(90, sampling=Sampling(1.0, top_k=50), stride=40)
    together = made.make(clips, request)
    for clip, sound in zip(clips, together, strict=True):
        (by_itself,) = made.make([clip], request)
        assert np.array_equal(by_itself, sound)
    assert len({sound.tobytes() for sound in together}) == len(clips)


def test_neither_pieces_nor_windows_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(language_model())
    clip, request = Clip(3, ("rock",)), Request(60)
    (whole,) = made.make([clip], request)
    found = tokens(made, [clip], request)
    with torch.no_grad():
        expected = codec().decode(found)[0]
    assert np.allclose(whole, expected, atol=1e-5)
    monkeypatch.setattr(engines, "PIECE_SECONDS", 0.2)
    monkeypatch.setattr(engines.Engine, "_block", 7)
    heard: list[float] = []
    (pieces,) = made.make([clip], request, on_sound=lambda _clip, piece: heard.append(piece.shape[1]))
    assert len(heard) > 3
    assert sum(heard) == whole.shape[1]
    assert np.allclose(pieces, whole, atol=1e-5)
    assert torch.equal(tokens(made, [clip], request), found)


def test_steps_are_told() -> None:
    made = engine(language_model())
    for request in (
        Request(50),
        Request(200, stride=20),
        Request(100, torch.zeros((4, 20), dtype=torch.long)),
    ):
        told: list[int] = []
        list(made.tokens([Clip(1)], request, told.append))
        assert told == sorted(told)
        assert told[-1] == made.steps(request)
