"""Small random models of MusicGen's structure, and audiocraft's own generation to compare with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from assistant.musicgen import backend
from assistant.musicgen.engine.engine import Clip, Engine, Request
from assistant.musicgen.engine.sampler import Sampling
from assistant.musicgen.engine.weights import Weights, pack_weights
from tests.musicgen.random_t5 import use_random_t5
from tests.musicgen.tiny_models import tiny_configs

backend.prepare()

MONO, STEREO = [0, 1, 2, 3], [0, 0, 1, 1, 2, 2, 3, 3]
GREEDY = Sampling(temperature=0.0)
SPAN = 1.2
CHROMA = {
    "sample_rate": 32_000,
    "n_chroma": 12,
    "radix2_exp": 12,
    "argmax": True,
    "match_len_on_eval": True,
}


def language_model(
    delays: Sequence[int] = MONO,
    *,
    dim: int = 32,
    heads: int = 2,
    layers: int = 2,
    card: int = 64,
    **more: Any,
) -> Any:
    """audiocraft's model with a T5 of random weights; its logits are far enough apart to mean something."""
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    _codec, config = tiny_configs()
    config["transformer_lm"].update(
        n_q=len(delays), dim=dim, num_heads=heads, num_layers=layers, card=card, **more
    )
    config["codebooks_pattern"]["delay"]["delays"] = list(delays)
    torch.manual_seed(3)
    lm: Any = builders.get_lm_model(OmegaConf.create(config))
    lm.cfg = OmegaConf.create(config)
    return _spread(use_random_t5(lm))


def melody_model(*, spread: bool = True, **more: Any) -> Any:
    """The same, built as Meta's melody model is: chroma and words before the music."""
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    from assistant.musicgen.melody import no_demucs_needed

    _codec, config = tiny_configs()
    follow_melodies(config)
    config["transformer_lm"].update(more)
    config["dataset"]["segment_duration"] = SPAN
    torch.manual_seed(4)
    with no_demucs_needed():
        lm: Any = builders.get_lm_model(OmegaConf.create(config))
    lm.cfg = OmegaConf.create(config)
    use_random_t5(lm)
    return _spread(lm) if spread else lm


def follow_melodies(config: dict[str, Any]) -> None:
    """Make a configuration that of a melody model."""
    config["fuser"].update(cross=[], prepend=["self_wav", "description"])
    config["conditioners"]["args"] = {"merge_text_conditions_p": 0.0, "drop_desc_p": 0.0}
    config["conditioners"]["self_wav"] = {"model": "chroma_stem", "chroma_stem": dict(CHROMA)}


def _spread(lm: Any) -> Any:
    with torch.no_grad():
        for head in lm.linears:
            head.weight.mul_(20)
        for layer in lm.transformer.layers:
            for weight in (layer.self_attn.in_proj_weight, layer.linear2.weight):
                weight.mul_(4)
    return lm.eval()


def codec(channels: int = 1, *, lstm: int = 2, norm: str = "weight_norm") -> Any:
    """audiocraft's EnCodec, as large as a test needs it, with random weights."""
    from audiocraft.models import builders
    from audiocraft.models.encodec import InterleaveStereoCompressionModel
    from omegaconf import OmegaConf

    config, _lm = tiny_configs()
    config["seanet"].update(lstm=lstm, norm=norm, pad_mode="reflect")
    config["rvq"]["bins"] = 64
    torch.manual_seed(5)
    model: Any = builders.get_compression_model(OmegaConf.create({**config, "device": "cpu"}))
    return (InterleaveStereoCompressionModel(model) if channels == 2 else model).eval()


def engine(lm: Any, precision: str = "float32", channels: int = 1, *, alone: bool = True) -> Engine:
    """Our engine over the model, for one CPU thread or as for several."""
    with computed(alone=alone):
        return Engine("test", lm, codec(channels), span=SPAN, precision=precision)


def packed(lm: Any, precision: str, *, alone: bool = True) -> Weights:
    """The weights of the model, for one CPU thread or as for several and for GPUs."""
    with computed(alone=alone):
        weights = pack_weights(lm, precision)
    assert weights.alone == alone
    return weights


@contextmanager
def computed(*, alone: bool) -> Iterator[None]:
    """Pack models inside as those that one CPU thread computes, or as larger ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "worth_threads", lambda _parameters: not alone)
        yield


def tokens(made: Engine, clips: Sequence[Clip], request: Request) -> Tensor:
    """All tokens `[clips, codebooks, frames]`, those that were given among them."""
    new = list(made.tokens(clips, request))
    if request.given is not None:
        new.insert(0, request.given.expand(len(clips), -1, -1))
    return torch.cat(new, dim=2)


def audiocrafts(
    lm: Any,
    prompt: str | None,
    frames: int,
    *,
    given: Tensor | None = None,
    melody: Tensor | None = None,
    stride: float = 0.72,
    **settings: Any,
) -> Tensor:
    """Tokens `[codebooks, frames]` by audiocraft's MusicGen, greedy if not said otherwise."""
    from audiocraft.models.musicgen import MusicGen

    model = MusicGen("test", codec(2 if lm.n_q == 8 else 1), lm, max_duration=30)
    model.max_duration = SPAN
    model.set_generation_params(
        **{"use_sampling": False, "duration": frames / 50 + 1e-6, "extend_stride": stride, **settings}
    )
    attributes, _none = model._prepare_tokens_and_attributes(
        [prompt], None, None if melody is None else [melody]
    )
    model.set_custom_progress_callback(lambda done, total: None)
    with torch.no_grad():
        found: Tensor = model._generate_tokens(attributes, None if given is None else given[None])[0]
    return found
