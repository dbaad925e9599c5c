"""audiocraft's language model, packed for decoding."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.musicgen import backend
from assistant.musicgen.engine.layers import Cross, Layer, Norm, Stack
from assistant.musicgen.engine.products import pack, require_eight_bits
from assistant.musicgen.forward import has_known_shape


@dataclass(frozen=True)
class Weights:
    """All that a decoding step reads."""

    stack: Stack
    step: Any
    """The stack as a decoding step calls it: on a CPU compiled by TorchScript, which halves the time."""
    embeddings: Tensor
    """`[codebooks · (card + 1), dim]`: the tables of the codebooks one below the other."""
    dim: int
    heads: int
    codebooks: int
    card: int
    delays: tuple[int, ...]
    max_period: float
    positional_scale: float
    number: torch.dtype
    """Of the numbers in an attention."""
    kept: torch.dtype
    """Of the keys and values that are kept."""
    device: torch.device
    parameters_a_step: int
    """Weights that a step reads."""

    def positions(self, length: int) -> Tensor:
        """Sines and cosines `[length, dim]`, in float32 whatever the weights are (audiocraft's
        `create_sin_embedding` in half precision is 5 % off at 30 seconds)."""
        half = self.dim // 2
        places = torch.arange(length, dtype=torch.float32)[:, None]
        period = torch.full([], self.max_period) ** (torch.arange(half, dtype=torch.float32) / (half - 1))
        table = torch.cat([torch.cos(places / period), torch.sin(places / period)], dim=1)
        return (self.positional_scale * table).to(self.device)


def pack_weights(lm: Any, precision: str) -> Weights:
    """Pack audiocraft's `LMModel`, which stays as it is.

    `precision` is one of `spec.CLIP_PRECISIONS` but `auto`. Raises `MusicHelperError` for a model that
    is built in a way that the engine does not compute.
    """
    delays = _delays(lm)
    if not has_known_shape(lm) or delays is None or lm.fuser.cross_attention_pos_emb:
        raise _other_shape()
    first = lm.emb[0].weight
    device = first.device
    if precision == "int8":
        require_eight_bits(device)
    parameters = _parameters_a_step(lm)
    number = torch.float32
    if device.type != "cpu":
        number = torch.float16 if precision == "int8" else getattr(torch, precision)
    kept = number
    alone = device.type == "cpu" and not backend.worth_threads(parameters)
    if alone and precision != "float32":
        kept = torch.float16
    biases = [one.bias for one in lm.linears]
    stack = Stack(
        [_layer(layer, precision, alone) for layer in lm.transformer.layers],
        _norm(lm.out_norm),
        pack(
            torch.cat([one.weight for one in lm.linears]),
            None if biases[0] is None else torch.cat(biases),
            precision,
        ),
    ).eval()
    return Weights(
        stack=stack,
        step=scripted(stack) if device.type == "cpu" else stack,
        embeddings=torch.cat([table.weight.detach() for table in lm.emb]).float(),
        dim=lm.dim,
        heads=lm.transformer.layers[0].self_attn.num_heads,
        codebooks=lm.n_q,
        card=lm.card,
        delays=delays,
        max_period=float(lm.transformer.max_period),
        positional_scale=float(lm.transformer.positional_scale),
        number=number,
        kept=kept,
        device=device,
        parameters_a_step=parameters,
    )


def _other_shape() -> MusicHelperError:
    return MusicHelperError(
        _("No clips can be made with a model of this shape."),
        _("Meta's MusicGen models can be used, and those made from them."),
    )


def scripted(module: Any) -> Any:
    """The module, or the function, without Python between its operations; itself where torch cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.jit.script(module)
    except (RuntimeError, AttributeError, NotImplementedError):
        return module


def _layer(layer: Any, precision: str, alone: bool) -> Layer:
    attention = layer.self_attn
    return Layer(
        norm=_norm(layer.norm1),
        qkv=pack(attention.in_proj_weight, attention.in_proj_bias, precision),
        out=pack(*_scaled(attention.out_proj, layer.layer_scale_1), precision),
        cross=_cross(layer, precision),
        inner_norm=_norm(layer.norm2),
        up=pack(layer.linear1.weight, layer.linear1.bias, precision),
        gelu=_is_gelu(layer.activation),
        down=pack(*_scaled(layer.linear2, layer.layer_scale_2), precision),
        alone=alone,
    )


def _cross(layer: Any, precision: str) -> Cross | None:
    attention = layer.cross_attention
    if attention is None:
        return None
    weight, bias = attention.in_proj_weight.detach(), attention.in_proj_bias
    dim = weight.shape[1]
    out, out_bias = _scaled(attention.out_proj, layer.layer_scale_cross)
    return Cross(
        _norm(layer.norm_cross),
        pack(weight[:dim], None if bias is None else bias[:dim], precision),
        pack(out, out_bias, precision),
        pairs=weight[dim:].clone(),
        bias=None if bias is None else bias[dim:].detach().clone(),
        out_has_bias=out_bias is not None,
    )


def _scaled(linear: Any, scale: Any) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a linear map with the layer scale after it made part of them."""
    weight, bias = linear.weight.detach(), linear.bias
    factors = getattr(scale, "scale", None)
    if factors is None:
        return weight, bias
    return weight * factors.detach()[:, None], None if bias is None else bias.detach() * factors


def _norm(module: Any) -> Norm:
    return Norm(module.weight.detach().float(), module.bias.detach().float())


def _is_gelu(activation: Any) -> bool:
    if activation not in (F.gelu, F.relu):
        raise _other_shape()
    return activation is F.gelu


def _delays(lm: Any) -> tuple[int, ...] | None:
    """Of each codebook, for the delay pattern (Copet et al. 2023, arXiv 2306.05284); None for another."""
    pattern = lm.pattern_provider
    delays = getattr(pattern, "delays", None)
    if delays is None or pattern.flatten_first or pattern.empty_initial:
        return None
    return tuple(int(delay) for delay in delays)


def _parameters_a_step(lm: Any) -> int:
    dim, layers = lm.dim, lm.transformer.layers
    crossed = layers[0].cross_attention is not None
    attention = (4 + 2 * crossed) * dim * dim
    inner = 2 * dim * layers[0].linear1.out_features
    return int(len(layers) * (attention + inner) + lm.n_q * lm.card * dim)
