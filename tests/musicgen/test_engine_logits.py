"""Gate B: the logits of each step beside audiocraft's own forward over the whole sequence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from assistant.musicgen.engine.conditioning import condition_of
from assistant.musicgen.engine.decoder import UNKNOWN, Decoder, Window, delayed
from assistant.musicgen.engine.engine import Clip, Request
from assistant.musicgen.engine.products import Halves, SplitHalves, on_cpu, pack
from assistant.musicgen.engine.sampler import Sampling
from assistant.musicgen.engine.weights import Weights, pack_weights
from tests.musicgen.engines import engine, language_model, packed, tokens

FRAMES = 70
PROMPT = "a slow jazz tune"


@pytest.fixture(scope="module")
def lm() -> Any:
    return language_model(dim=64, heads=4, layers=3)


@pytest.fixture(scope="module")
def codes(lm: Any) -> torch.Tensor:
    """Tokens that the model itself has drawn."""
    return tokens(engine(lm), [Clip(2, (PROMPT,))], Request(FRAMES, sampling=Sampling(top_k=0)))


def taught(weights: Weights, lm: Any, codes: torch.Tensor, guided: bool, bucket: int = 0) -> torch.Tensor:
    """Logits `[rows, codebooks, steps, card]` of the steps while all tokens are given."""
    condition, frames = condition_of(lm, PROMPT, None), codes.shape[2]
    with torch.inference_mode():
        sampling = Sampling(0.0, guidance=3.0 if guided else 1.0)
        decoder = Decoder(weights, [condition], Window(frames, codes[:, :, :0], None), sampling)
        decoder.sequence[:] = delayed(codes, frames, weights).to(weights.device)
        assert not (decoder.sequence == UNKNOWN).any()
        kept: list[torch.Tensor] = []
        mixed = decoder._mixed
        decoder._mixed = lambda logits: kept.append(logits.clone()) or mixed(logits)  # type: ignore
        if bucket:
            for step in range(decoder.sequence.shape[-1] - 1):
                decoder.step_in_bucket(min(-(-(step + 1) // bucket) * bucket, frames + 4))
        else:
            for _decided in decoder.run(10):
                pass
    steps = torch.stack(kept, dim=1)
    return steps.view(*steps.shape[:2], lm.n_q, -1).transpose(1, 2).cpu()


def audiocrafts(lm: Any, codes: torch.Tensor, weights: Weights) -> torch.Tensor:
    """The same by audiocraft, with words and without."""
    from audiocraft.modules.conditioners import ConditioningAttributes

    sequence = delayed(codes, codes.shape[2], weights)[:, :, :-1].to(weights.device)
    attributes = [ConditioningAttributes(text={"description": one}) for one in (PROMPT, None)]
    tensors = lm.condition_provider(lm.condition_provider.tokenize(attributes))
    with torch.no_grad():
        found: torch.Tensor = lm(sequence.repeat(2, 1, 1), [], tensors)
    return found.cpu()


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("precision", "allowed"), [("float32", 1e-4), ("float16", 1e-2), ("bfloat16", 3e-2), ("int8", 5e-2)]
)
def test_logits_are_audiocrafts(
    lm: Any, codes: torch.Tensor, precision: str, allowed: float, alone: bool
) -> None:
    weights = packed(lm, precision, alone=alone)
    expected = audiocrafts(lm, codes, weights)
    found = taught(weights, lm, codes, guided=True)
    for row in range(2):  # with words, and without
        assert off(found[row], expected[row]) < allowed
    mixed = [one[1] + 3 * (one[0] - one[1]) for one in (found, expected)]
    assert off(mixed[0], mixed[1]) < allowed
    assert torch.equal(taught(weights, lm, codes, guided=False)[0], found[0])


@pytest.mark.parametrize(("precision", "allowed"), [("float32", 1e-5), ("float16", 1e-3), ("int8", 5e-3)])
def test_the_loss_stays(lm: Any, codes: torch.Tensor, precision: str, allowed: float) -> None:
    weights = pack_weights(lm, precision)
    expected, found = audiocrafts(lm, codes, weights)[0], taught(weights, lm, codes, guided=False)[0]
    sequence = delayed(codes, FRAMES, weights)[0, :, 1:]
    music = sequence != lm.special_token_id
    losses = [float(F.cross_entropy(one[music], sequence[music])) for one in (found, expected)]
    assert abs(losses[0] / losses[1] - 1) < allowed


def test_a_step_over_a_bucket_is_the_step(lm: Any, codes: torch.Tensor) -> None:
    """What a CUDA graph replays: more places than were written, of which only the device knows."""
    weights = packed(lm, "float32", alone=False)
    found = taught(weights, lm, codes, guided=True, bucket=16)
    assert off(found, audiocrafts(lm, codes, weights)) < 1e-5


def test_small_models_keep_halves_unless_asked_for_more(lm: Any) -> None:
    kept = {name: pack_weights(lm, name).kept for name in ("float32", "float16", "int8")}
    assert kept == {"float32": torch.float32, "float16": torch.float16, "int8": torch.float16}


def test_the_stack_is_compiled(lm: Any) -> None:
    assert isinstance(packed(lm, "float32", alone=False).step, torch.jit.ScriptModule)


def test_halves_are_used_where_they_lose_nothing() -> None:
    weight = torch.randn(48, 32, generator=torch.Generator().manual_seed(1)) * 0.05
    x = torch.randn(3, 32, generator=torch.Generator().manual_seed(2))
    assert isinstance(on_cpu(weight.half().float(), None), Halves)
    split = on_cpu(weight, None)
    assert isinstance(split, SplitHalves)
    expected = F.linear(x.double(), weight.double())
    assert float((split(x) - expected).abs().max() / expected.abs().max()) < 1e-6
    bias = torch.randn(48, generator=torch.Generator().manual_seed(3))
    for precision in ("float32", "float16", "int8"):
        with_bias, without = pack(weight, bias, precision), pack(weight, None, precision)
        assert torch.allclose(with_bias(x), without(x) + bias, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
@pytest.mark.parametrize(
    ("precision", "allowed"), [("float32", 1e-4), ("float16", 1e-2), ("bfloat16", 3e-2), ("int8", 5e-2)]
)
def test_logits_on_a_gpu(codes: torch.Tensor, precision: str, allowed: float) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    lm = language_model(dim=64, heads=4, layers=3).cuda()
    conditioner = lm.condition_provider.conditioners["description"]
    conditioner.t5.cuda()
    conditioner.device = "cuda"
    weights = pack_weights(lm, precision)
    expected = audiocrafts(lm, codes.cuda(), weights)
    for bucket in (0, 16):
        assert off(taught(weights, lm, codes.cuda(), guided=True, bucket=bucket), expected) < allowed


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_graphs_replay_what_is_stepped(codes: torch.Tensor) -> None:
    lm = language_model(dim=64, heads=4, layers=3).cuda()
    conditioner = lm.condition_provider.conditioners["description"]
    conditioner.t5.cuda()
    conditioner.device = "cuda"
    condition, weights = condition_of(lm, PROMPT, None), pack_weights(lm, "float16")
    found = []
    with torch.inference_mode():
        for graphs in (False, True):
            window = Window(FRAMES, codes[:, :, :0], None)
            decoder = Decoder(weights, [condition], window, Sampling(0.0), graphs=graphs)
            for _decided in decoder.run(25):
                pass
            found.append(decoder.frames(0, 10).cpu())
    assert torch.equal(found[0], found[1])
