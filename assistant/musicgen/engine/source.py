"""The parts of audiocraft's language model, as whoever packs them wants them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from assistant.errors import MusicHelperError
from assistant.i18n import _


@dataclass(frozen=True)
class Linear:
    """A linear map, or the factors and the offsets of a layer norm `[dim]`."""

    weight: Tensor
    """`[out, in]`."""
    bias: Tensor | None


@dataclass(frozen=True)
class CrossSource:
    """Attention to the words."""

    norm: Linear
    query: Linear
    pairs: Linear
    """Keys and values of the words, `[2 · dim, dim]`."""
    out: Linear


@dataclass(frozen=True)
class LayerSource:
    """One layer; layer scales are part of the maps before them."""

    norm: Linear
    qkv: Linear
    out: Linear
    cross: CrossSource | None
    inner_norm: Linear
    up: Linear
    gelu: bool
    down: Linear


def layers_of(lm: Any) -> Iterator[LayerSource]:
    """The layers of an `LMModel`. Raises `MusicHelperError` for an activation that is not computed."""
    for layer in lm.transformer.layers:
        attention = layer.self_attn
        yield LayerSource(
            norm=norm_of(layer.norm1),
            qkv=_linear(attention.in_proj_weight, attention.in_proj_bias),
            out=_scaled(attention.out_proj, layer.layer_scale_1),
            cross=_cross(layer),
            inner_norm=norm_of(layer.norm2),
            up=_linear(layer.linear1.weight, layer.linear1.bias),
            gelu=_is_gelu(layer.activation),
            down=_scaled(layer.linear2, layer.layer_scale_2),
        )


def heads_of(lm: Any) -> Linear:
    """The heads of all codebooks as one map `[codebooks · card, dim]`."""
    biases = [one.bias for one in lm.linears]
    return _linear(
        torch.cat([one.weight for one in lm.linears]), None if biases[0] is None else torch.cat(biases)
    )


def norm_of(module: Any) -> Linear:
    """Factors and offsets of a layer norm, in float32."""
    return Linear(module.weight.detach().float(), module.bias.detach().float())


def other_shape() -> MusicHelperError:
    """What is told of a model that the engine does not compute."""
    return MusicHelperError(
        _("No clips can be made with a model of this shape."),
        _("Meta's MusicGen models can be used, and those made from them."),
    )


def _cross(layer: Any) -> CrossSource | None:
    attention = layer.cross_attention
    if attention is None:
        return None
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    dim = weight.shape[1]
    return CrossSource(
        norm_of(layer.norm_cross),
        _linear(weight[:dim], None if bias is None else bias[:dim]),
        _linear(weight[dim:], None if bias is None else bias[dim:]),
        _scaled(attention.out_proj, layer.layer_scale_cross),
    )


def _linear(weight: Tensor, bias: Tensor | None) -> Linear:
    return Linear(weight.detach(), None if bias is None else bias.detach())


def _scaled(linear: Any, scale: Any) -> Linear:
    """A linear map with the layer scale after it made part of it."""
    weight, bias = linear.weight, linear.bias
    factors = getattr(scale, "scale", None)
    if factors is None:
        return _linear(weight, bias)
    return _linear(weight * factors[:, None], None if bias is None else bias * factors)


def _is_gelu(activation: Any) -> bool:
    if activation not in (F.gelu, F.relu):
        raise other_shape()
    return activation is F.gelu
