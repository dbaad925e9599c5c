"""Weights and caches for the layers in one CPU thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from assistant.musicgen.engine.one_thread import Layers, Products, Words, hear
from assistant.musicgen.engine.panels import WIDTH, to_panels
from assistant.musicgen.engine.source import CrossSource, LayerSource, Linear


def pack_layers(layers: Sequence[LayerSource], last_norm: Linear, heads: Linear, precision: str) -> Layers:
    """The layers for one thread, in a precision of `spec.CLIP_PRECISIONS` but `auto`.

    Float32 weights that halves hold without loss, as they do Meta's, are kept in halves.
    """
    crosses = [layer.cross for layer in layers if layer.cross is not None]
    kinds = [
        [layer.qkv for layer in layers],
        [layer.out for layer in layers],
        [cross.query for cross in crosses],
        [cross.out for cross in crosses],
        [layer.up for layer in layers],
        [layer.down for layer in layers],
        [heads],
    ]
    if precision == "float32" and all(_fits_halves(one.weight) for kind in kinds for one in kind):
        precision = "float16"
    qkv, out, query, cross, up, down, packed_heads = (_products(kind, precision) for kind in kinds)
    norms = [
        [layer.norm, layer.cross.norm if layer.cross else layer.norm, layer.inner_norm] for layer in layers
    ]
    return Layers(
        norms=np.stack([np.stack([_pair(norm) for norm in three]) for three in norms]),
        qkv=qkv,
        out=out,
        query=query,
        cross=cross,
        up=up,
        down=down,
        last_norm=_pair(last_norm),
        heads=packed_heads,
        gelu=layers[0].gelu,
    )


class AloneRows:
    """Rows of hidden states with their caches, as `rows.Rows`, for weights that one thread computes."""

    def __init__(self, weights: Any, rows: int, length: int, words: Sequence[Tensor]) -> None:
        self.padded = rows
        self._layers: Layers = weights.stack
        self._outputs = weights.codebooks * weights.card
        count, heads, size = len(self._layers.norms), weights.heads, weights.dim // weights.heads
        kind = np.uint16 if weights.kept == torch.float16 else np.float32
        panels, wide = -(-length // WIDTH), -(-size // WIDTH)
        self._keys = np.zeros((count, rows, heads, panels, size, WIDTH), kind)
        self._values = np.zeros((count, rows, heads, wide, length, WIDTH), kind)
        self._words = _words(weights.crosses, words, (count, heads, size), kind)

    def step(self, x: Tensor, _place: Tensor, attended: int, bias: Tensor | None) -> Tensor:
        """Logits `[rows, codebooks · card]` for one token a row `[rows, dim]`, which is the last of
        `attended`."""
        assert bias is None
        logits = np.empty((len(x), self._layers.heads.panels.shape[1] * WIDTH), np.float32)
        self._hear(x, 1, attended - 1, logits)
        return torch.from_numpy(logits[:, : self._outputs])

    def prefill(self, x: Tensor) -> None:
        """Hear a beginning `[rows, length, dim]`, with its positions, from place 0 on."""
        self._hear(x.flatten(0, 1).contiguous(), x.shape[1], 0, np.empty((0, WIDTH), np.float32))

    def _hear(self, x: Tensor, count: int, first: int, logits: NDArray[np.float32]) -> None:
        hear(x.numpy(), count, first, self._layers, self._keys, self._values, self._words, logits)


def _words(
    crosses: Sequence[CrossSource], words: Sequence[Tensor], shape: tuple[int, int, int], kind: Any
) -> Words:
    """Keys and values of the words `[length, dim]` of the first rows, once for the whole clip, for so many
    layers and heads of a size."""
    layers, heads, size = shape
    longest = max(map(len, words), default=0)
    panels, wide = -(-longest // WIDTH), -(-size // WIDTH)
    keys = np.zeros((layers, len(words), heads, panels, size, WIDTH), kind)
    values = np.zeros((layers, len(words), heads, wide, longest, WIDTH), kind)
    for layer, cross in enumerate(crosses):
        for row, one in enumerate(words):
            pairs = F.linear(one.float(), cross.pairs.weight.float(), _float(cross.pairs.bias))
            kept = pairs.numpy() if kind == np.float32 else pairs.half().numpy().view(kind)
            of_heads = kept.reshape(len(one), 2, heads, size).transpose(2, 1, 0, 3)
            for head, (key, value) in enumerate(of_heads):
                own = to_panels(key.T)
                keys[layer, row, head, : len(own)] = own
                values[layer, row, head, :, : len(one)] = to_panels(value)
    lengths = np.array([len(one) for one in words], np.int64)
    return Words(keys, values, lengths, _silence(crosses, heads * size))


def _silence(crosses: Sequence[CrossSource], dim: int) -> NDArray[np.float32]:
    """What rows without words hear is the values of nothing, which is their bias; without one, nothing."""
    if not crosses or (crosses[0].pairs.bias is None and crosses[0].out.bias is None):
        return np.zeros((0, dim), np.float32)
    heard = []
    for cross in crosses:
        bias = cross.pairs.bias
        value = torch.zeros(dim) if bias is None else bias[dim:].float()
        heard.append(F.linear(value, cross.out.weight.float(), _float(cross.out.bias)).numpy())
    return np.stack(heard)


def _products(linears: Sequence[Linear], precision: str) -> Products:
    if not linears:
        kind = {"int8": np.int8, "float16": np.uint16}.get(precision, np.float32)
        return Products(np.zeros((0, 0, 0, WIDTH), kind), *[np.zeros((0, 0), np.float32)] * 2)
    weights = [one.weight.float() for one in linears]
    scales = [torch.ones(len(weight)) for weight in weights]
    if precision == "int8":
        scales = [weight.abs().amax(dim=1).clamp_min(1e-12) / 127 for weight in weights]
        kept = [
            (weight / scale[:, None]).round().to(torch.int8).numpy()
            for weight, scale in zip(weights, scales, strict=True)
        ]
    elif precision == "float16":
        kept = [weight.half().numpy().view(np.uint16) for weight in weights]
    elif precision == "bfloat16":
        kept = [weight.bfloat16().float().numpy() for weight in weights]
    else:
        kept = [weight.numpy() for weight in weights]
    biases = [
        np.zeros(len(one.weight), np.float32) if one.bias is None else one.bias.float().numpy()
        for one in linears
    ]
    panels = np.stack([to_panels(weight.T) for weight in kept])
    return Products(panels, np.stack([one.numpy() for one in scales]), np.stack(biases))


def _fits_halves(weight: Tensor) -> bool:
    return torch.equal(weight.half().float(), weight.float())


def _pair(norm: Linear) -> NDArray[np.float32]:
    assert norm.bias is not None
    return np.stack([norm.weight.numpy(), norm.bias.numpy()])


def _float(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.float()
