"""audiocraft's language model, packed for decoding."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from assistant.musicgen import backend
from assistant.musicgen.engine import alone
from assistant.musicgen.engine.layers import Cross, Layer, Norm, Stack
from assistant.musicgen.engine.one_thread import Layers
from assistant.musicgen.engine.panels import has_vectors
from assistant.musicgen.engine.products import pack, require_eight_bits
from assistant.musicgen.engine.source import (
    CrossSource,
    LayerSource,
    Linear,
    heads_of,
    layers_of,
    norm_of,
    other_shape,
)
from assistant.musicgen.forward import has_known_shape


@dataclass(frozen=True)
class Weights:
    """All that a decoding step reads."""

    stack: Stack | Layers
    """As `rows.Rows` takes it, or, where one CPU thread computes, as `alone.AloneRows` does."""
    step: Any
    """A `Stack` as a decoding step calls it: on a CPU compiled by TorchScript, which halves the time."""
    crosses: tuple[CrossSource, ...]
    """Of each layer; none where no layer hears words."""
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

    @property
    def alone(self) -> bool:
        """Whether one CPU thread computes."""
        return isinstance(self.stack, Layers)

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
        raise other_shape()
    device = lm.emb[0].weight.device
    parameters = _parameters_a_step(lm)
    layers, last_norm, heads = list(layers_of(lm)), norm_of(lm.out_norm), heads_of(lm)
    number = kept = torch.float32
    stack: Stack | Layers
    if device.type == "cpu" and not backend.worth_threads(parameters) and has_vectors():
        kept = torch.float32 if precision == "float32" else torch.float16
        stack = alone.pack_layers(layers, last_norm, heads, precision)
    else:
        if precision == "int8":
            require_eight_bits(device)
        if device.type != "cpu":
            number = kept = torch.float16 if precision == "int8" else getattr(torch, precision)
        stack = Stack(
            [_layer(layer, precision) for layer in layers],
            Norm(last_norm),
            pack(heads.weight, heads.bias, precision),
        ).eval()
    return Weights(
        stack=stack,
        step=scripted(stack) if device.type == "cpu" and isinstance(stack, Stack) else stack,
        crosses=tuple(layer.cross for layer in layers if layer.cross is not None),
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


def scripted(module: Any) -> Any:
    """The module, or the function, without Python between its operations; itself where torch cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.jit.script(module)
    except (RuntimeError, AttributeError, NotImplementedError):
        return module


def _layer(layer: LayerSource, precision: str) -> Layer:
    def packed(linear: Linear) -> Any:
        return pack(linear.weight, linear.bias, precision)

    cross = None
    if layer.cross is not None:
        cross = Cross(Norm(layer.cross.norm), packed(layer.cross.query), packed(layer.cross.out))
    return Layer(
        norm=Norm(layer.norm),
        qkv=packed(layer.qkv),
        out=packed(layer.out),
        cross=cross,
        inner_norm=Norm(layer.inner_norm),
        up=packed(layer.up),
        gelu=layer.gelu,
        down=packed(layer.down),
    )


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
