"""Gate A: the likeliest tokens are, one and all, those of audiocraft and of transformers."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch

from assistant.errors import MusicHelperError
from assistant.musicgen.engine.engine import Clip, Engine, Request
from assistant.musicgen.engine.sampler import Sampling
from assistant.musicgen.huggingface import to_huggingface
from tests.musicgen.engines import (
    GREEDY,
    MONO,
    SPAN,
    STEREO,
    audiocrafts,
    engine,
    language_model,
    melody_model,
    tokens,
)
from tests.musicgen.tiny_models import chord

PROMPTS = ("a slow jazz tune", "rock", "a long caption of many words about the blues of old")
FRAMES = 55


@pytest.fixture(scope="module")
def lm() -> Any:
    return language_model()


@pytest.fixture(scope="module", params=["one thread", "several"])
def made(lm: Any, request: pytest.FixtureRequest) -> Engine:
    return engine(lm, alone=request.param == "one thread")


def given(codebooks: int, frames: int, card: int = 64) -> torch.Tensor:
    return torch.randint(0, card, (codebooks, frames), generator=torch.Generator().manual_seed(6))


@pytest.mark.parametrize("prompt", [*PROMPTS, ""])
@pytest.mark.parametrize("guidance", [3.0, 1.0])
def test_words_and_no_words(lm: Any, made: Engine, prompt: str, guidance: float) -> None:
    expected = audiocrafts(lm, prompt or None, FRAMES, cfg_coef=guidance)
    request = Request(FRAMES, sampling=Sampling(0.0, guidance=guidance))
    assert torch.equal(tokens(made, [Clip(0, (prompt,))], request)[0], expected)
    assert len(set(expected.flatten().tolist())) > 5


@pytest.mark.parametrize("delays", [STEREO, [0, 0, 0, 0], [1, 1, 2, 3]])
def test_other_patterns(delays: list[int]) -> None:
    lm = language_model(delays)
    channels = len(delays) // 4
    expected = audiocrafts(lm, PROMPTS[0], FRAMES)
    found = tokens(engine(lm, channels=channels), [Clip(0, PROMPTS[:1])], Request(FRAMES, sampling=GREEDY))
    assert torch.equal(found[0], expected)


@pytest.mark.parametrize("delays", [MONO, STEREO])
def test_going_on(delays: list[int]) -> None:
    lm, begun = language_model(delays), given(len(delays), 21)
    expected = audiocrafts(lm, PROMPTS[0], FRAMES, given=begun)
    request = Request(FRAMES, begun, GREEDY)
    found = tokens(engine(lm, channels=len(delays) // 4), [Clip(0, PROMPTS[:1])], request)
    assert torch.equal(found[0], expected)


@pytest.mark.parametrize(("frames", "stride"), [(130, 0.72), (151, 0.3)])
@pytest.mark.parametrize("begun", [None, given(4, 30)])
def test_beyond_the_span(
    lm: Any, made: Engine, frames: int, stride: float, begun: torch.Tensor | None
) -> None:
    assert frames / 50 > SPAN
    expected = audiocrafts(lm, PROMPTS[0], frames, given=begun, stride=stride)
    request = Request(frames, begun, GREEDY, stride=round(stride * 50))
    assert torch.equal(tokens(made, [Clip(0, PROMPTS[:1])], request)[0], expected)


def test_a_batch_of_unequal_prompts_is_each_alone(lm: Any, made: Engine) -> None:
    """audiocraft lets the shorter ones hear the padding of the longest; each alone is the reference."""
    prompts = [*PROMPTS, "", "a tune"]
    found = tokens(made, [Clip(0, (one,)) for one in prompts], Request(FRAMES, sampling=GREEDY))
    for row, prompt in zip(found, prompts, strict=True):
        assert torch.equal(row, audiocrafts(lm, prompt or None, FRAMES))


@pytest.mark.parametrize("prompts", [PROMPTS[:1], ("", *PROMPTS)])
def test_guidance_in_two_steps(lm: Any, made: Engine, prompts: tuple[str, ...]) -> None:
    lm.cfg_coef = 3.0  # audiocraft's two steps forget the coefficient that they are called with
    request = Request(FRAMES, sampling=GREEDY, two_step=True)
    found = tokens(made, [Clip(0, (one,)) for one in prompts], request)
    for row, prompt in zip(found, prompts, strict=True):
        assert torch.equal(row, audiocrafts(lm, prompt or None, FRAMES, two_step_cfg=True))


@pytest.mark.parametrize("frames", [FRAMES, 130])
def test_a_melody(frames: int) -> None:
    lm = melody_model()
    melody = torch.from_numpy(chord(3, 1.7, 32_000))[None]
    made = engine(lm)
    request = Request(frames, sampling=GREEDY)
    for tune, prompt in ((melody, PROMPTS[0]), (None, PROMPTS[0]), (melody, "")):
        expected = audiocrafts(lm, prompt or None, frames, melody=tune)
        found = tokens(made, [Clip(0, (prompt,), tune), Clip(1, (prompt,), tune)], request)
        assert torch.equal(found[0], expected)
        assert torch.equal(found[1], expected)


def test_transformers_decodes_the_same(lm: Any, made: Engine) -> None:
    from tests.musicgen.test_huggingface import encodec

    conditioner = lm.condition_provider.conditioners["description"]
    theirs = to_huggingface(lm, conditioner.t5, encodec())
    kept: list[torch.Tensor] = []

    def decode(codes: torch.Tensor, **_more: Any) -> SimpleOutput:
        kept.append(codes)
        return SimpleOutput()

    theirs.audio_encoder.decode = decode
    words = conditioner.tokenize([PROMPTS[0]])
    with torch.no_grad():
        theirs.generate(
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
            do_sample=False,
            guidance_scale=3.0,
            max_new_tokens=FRAMES + 3,
        )
    found = tokens(made, [Clip(0, PROMPTS[:1])], Request(FRAMES, sampling=GREEDY))
    assert torch.equal(kept[0][0, 0, :, :FRAMES], found[0])


class SimpleOutput:
    """What transformers wants of a codec's decode."""

    audio_values = torch.zeros(1, 1, 1)


def test_biases_and_layer_scales() -> None:
    lm = language_model(bias_attn=True, bias_ff=True, bias_proj=True, layer_scale=0.4)
    with torch.no_grad():
        for name, weight in lm.named_parameters():
            if name.endswith("bias") and "norm" not in name:
                weight.normal_(std=0.3, generator=torch.Generator().manual_seed(7))
    for prompt, alone in product((PROMPTS[0], ""), (True, False)):
        found = tokens(engine(lm, alone=alone), [Clip(0, (prompt,))], Request(FRAMES, sampling=GREEDY))
        assert torch.equal(found[0], audiocrafts(lm, prompt or None, FRAMES))


def test_each_window_has_its_prompt(lm: Any, made: Engine) -> None:
    frames, stride = 96, 36
    request = Request(frames, sampling=GREEDY, stride=stride)
    found = tokens(made, [Clip(0, (PROMPTS[0], PROMPTS[1]))], request)[0]
    assert torch.equal(found[:, :60], audiocrafts(lm, PROMPTS[0], 60))
    second = audiocrafts(lm, PROMPTS[1], 60, given=found[:, stride:60])
    assert torch.equal(found[:, stride:], second)


def test_a_model_of_another_shape_is_refused() -> None:
    lm = language_model()
    lm.fuser.cross_attention_pos_emb = True
    with pytest.raises(MusicHelperError):
        engine(lm)
