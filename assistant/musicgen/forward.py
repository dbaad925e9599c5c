"""The language model's forward for training, over the parameters of audiocraft's `LMModel`.

The same function as `audiocraft.models.lm.LMModel.forward` without dropout, and with less work: no mask
for causal attention, the position table once, no logits kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.musicgen.attention import attend
from assistant.musicgen.lora import Adapter, Adapters

_positions: dict[tuple[int, int, float, torch.device], Tensor] = {}


def has_known_shape(lm: Any) -> bool:
    """Whether a model is built in the way that `hidden_states` and the decoding engine compute."""
    layers = lm.transformer.layers
    attentions = [layer.self_attn for layer in layers]
    attentions += [layer.cross_attention for layer in layers if layer.cross_attention is not None]
    return (
        lm.transformer.positional_embedding == "sin"
        and all(layer.norm_first for layer in layers)
        and all(one.custom and one.kv_repeat == 1 and not one.qk_layer_norm for one in attentions)
        and all(one.past_context is None for one in attentions)
        and not lm.fuser.fuse2cond["sum"]
        and not lm.fuser.fuse2cond["input_interpolate"]
    )


def require_known_shape(lm: Any) -> None:
    """Raise `MusicHelperError` for a model built in a way that `hidden_states` does not compute."""
    if not has_known_shape(lm):
        raise MusicHelperError(
            _("A model of this shape cannot be fine-tuned."),
            _("Meta's MusicGen models can, and those made from them."),
        )


def hidden_states(
    lm: Any,
    read: Tensor,
    conditions: dict[str, Any],
    *,
    adapters: Adapters | None = None,
    mask: Tensor | None = None,
    recompute: bool = False,
    sharded: bool = False,
    compute: Callable[..., Tensor] | None = None,
) -> Tensor:
    """What goes into the heads `[batch, steps, dim]`, for tokens `[batch, codebooks, steps]`.

    `mask` `[batch, condition length]` is true where a caption has a word; without one all of the
    conditions are attended to, as in audiocraft. With `recompute` a layer keeps only its input and is
    computed again in the backward pass. `compute` stands in for `compute_layer`.
    """
    x: Any = sum(table(read[:, codebook]) for codebook, table in enumerate(lm.emb))
    x, cross = lm.fuser(x, conditions)
    x = x + _position_table(x, lm.transformer)
    words = None if mask is None or cross is None else mask[:, None, None, :]
    for number, layer in enumerate(lm.transformer.layers):
        # A layer whose weights are shared out gathers them when it is called.
        one = layer if sharded else partial(compute or compute_layer, layer)
        own = {} if adapters is None else adapters.of_layer(number)
        inputs = (own, x, cross, words)
        if recompute and torch.is_grad_enabled():
            x = checkpoint(one, *inputs, use_reentrant=False, preserve_rng_state=False)  # nothing is drawn
        else:
            x = one(*inputs)
    if lm.out_norm is not None:
        x = lm.out_norm(x)
    states: Tensor = x[:, -read.shape[-1] :]
    return states


def head_deltas(lm: Any, adapters: Adapters | None) -> list[Tensor | None] | None:
    """What adapters add to the heads' weights."""
    if adapters is None:
        return None
    found = [adapters[f"linears.{number}"] for number in range(len(lm.linears))]
    return [None if adapter is None else adapter.delta() for adapter in found]


def compute_layer(
    layer: Any, adapters: Mapping[str, Adapter], x: Tensor, cross: Tensor | None, words: Tensor | None
) -> Tensor:
    """One layer, of `[batch, steps, dim]`, with its adapters by their names in it."""
    attention = layer.self_attn
    normed = layer.norm1(x)
    packed = F.linear(normed, attention.in_proj_weight, attention.in_proj_bias)
    extra = [adapters.get(f"self_attn.{name}") for name in "qkv"]
    q, k, v = (
        part if one is None else part + one(normed)
        for part, one in zip(packed.chunk(3, -1), extra, strict=True)
    )
    heard = attend(q, k, v, attention.num_heads, causal=True)
    x = x + layer.layer_scale_1(_linear(heard, attention.out_proj, adapters.get("self_attn.out_proj")))
    if layer.cross_attention is not None and cross is not None:
        attention = layer.cross_attention
        weights = attention.in_proj_weight.chunk(3)
        biases = (None,) * 3 if attention.in_proj_bias is None else attention.in_proj_bias.chunk(3)
        normed = layer.norm_cross(x)
        parts = []
        for name, source, weight, bias in zip("qkv", (normed, cross, cross), weights, biases, strict=True):
            part = F.linear(source, weight, bias)
            one = adapters.get(f"cross_attention.{name}")
            parts.append(part if one is None else part + one(source))
        heard = attend(parts[0], parts[1], parts[2], attention.num_heads, words=words)
        x = x + layer.layer_scale_cross(
            _linear(heard, attention.out_proj, adapters.get("cross_attention.out_proj"))
        )
    inner = layer.activation(_linear(layer.norm2(x), layer.linear1, adapters.get("linear1")))
    result: Tensor = x + layer.layer_scale_2(_linear(inner, layer.linear2, adapters.get("linear2")))
    return result


def _linear(x: Tensor, module: Any, adapter: Adapter | None) -> Tensor:
    y = F.linear(x, module.weight, module.bias)
    return y if adapter is None else y + adapter(x)


def _position_table(x: Tensor, transformer: Any) -> Tensor:
    """Sines and cosines `[1, steps, dim]` of audiocraft's `create_sin_embedding`, always in float32."""
    from audiocraft.modules.transformer import create_sin_embedding

    key = (x.shape[1], x.shape[2], float(transformer.max_period), x.device)
    if key not in _positions:
        _positions.clear()
        steps = torch.arange(key[0], device=key[3]).view(1, -1, 1)
        _positions[key] = create_sin_embedding(steps, key[1], max_period=key[2])
    table: Tensor = _positions[key] * transformer.positional_scale
    return table
