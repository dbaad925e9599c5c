"""Rows that go through the layers together, with the keys and values that they keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from assistant.musicgen.engine.layers import Stack
from assistant.musicgen.engine.weights import Weights

_WORDS_MULTIPLE = 16
"""Words are filled up to a multiple of this: the same steps of the vector unit, alone and in a batch."""
_GPU_TILE = 16
"""A GPU computes as many rows in the time of one; always the same number gives always the same bits."""


class Rows:
    """Rows of hidden states and their caches; the first `len(words)` rows hear words `[length, dim]`.

    All buffers are made once and written in place, so that a CUDA graph can be captured over `step`.
    """

    def __init__(self, weights: Weights, rows: int, length: int, words: Sequence[Tensor]) -> None:
        assert isinstance(weights.stack, Stack)
        self._weights, self._rows, self._stack = weights, rows, weights.stack
        device, layers = weights.device, len(self._stack.layers)
        tile = 1 if device.type == "cpu" else _GPU_TILE
        self.padded = -(-rows // tile) * tile
        each = (rows, weights.heads, length, weights.dim // weights.heads)
        self._keys = [torch.zeros(each, device=device, dtype=weights.kept) for _layer in range(layers)]
        self._values = [torch.zeros(each, device=device, dtype=weights.kept) for _layer in range(layers)]
        self._words: list[Tensor] = []
        self._mask: Tensor | None = None
        self._heard: list[Tensor] = []
        if words:
            self._take_words(words)
        self._hear_nothing()

    def step(self, x: Tensor, place: Tensor, attended: int, bias: Tensor | None) -> Tensor:
        """Logits of one step, as `Stack` has them."""
        logits: Tensor = self._weights.step(
            x, place, attended, bias, self._keys, self._values, self._words, self._mask, self._heard
        )
        return logits

    def prefill(self, x: Tensor) -> None:
        """Hear a beginning `[rows, length, dim]`, with its positions, from place 0 on."""
        rows, length, dim = x.shape
        x = x.reshape(rows * length, dim)
        number, heads = self._weights.number, self._weights.heads
        for place, layer in enumerate(self._layers):
            packed = layer.qkv(layer.norm(x)).to(number)
            q, k, v = packed.view(rows, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
            # What is heard is what is kept, as in the steps that follow.
            k, v = k.to(self._weights.kept), v.to(self._weights.kept)
            self._keys[place][:, :, :length] = k
            self._values[place][:, :, :length] = v
            k, v = k.to(number), v.to(number)
            heard = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + layer.out(heard.transpose(1, 2).reshape(rows * length, dim).float())
            if self._heard:
                x = x + self._heard_words(place, x, length)
            x = layer.inner(x)

    def _heard_words(self, place: int, x: Tensor, length: int) -> Tensor:
        cross = self._layers[place].cross
        whole = self._heard[place][: self._rows, None].repeat(1, length, 1)
        if self._words:
            keys, values = self._words[2 * place : 2 * place + 2]
            q = cross.query(cross.norm(x)).to(keys.dtype).view(self._rows, length, self._weights.heads, -1)
            q = q[: len(keys)].transpose(1, 2)
            heard = F.scaled_dot_product_attention(q, keys, values, attn_mask=self._mask)
            whole[: len(keys)] = heard.transpose(1, 2).flatten(2).float()
        found: Tensor = cross.out(whole.flatten(0, 1))
        return found

    @property
    def _layers(self) -> list[Any]:
        return list(self._stack.layers)

    def _take_words(self, words: Sequence[Tensor]) -> None:
        """Keys and values of the words, once for the whole clip."""
        device, number = self._weights.device, self._weights.number
        longest = max(map(len, words))
        longest = -(-longest // _WORDS_MULTIPLE) * _WORDS_MULTIPLE
        source = torch.zeros((len(words), longest, self._weights.dim), device=device)
        for row, one in enumerate(words):
            source[row, : len(one)] = one
        places = torch.arange(longest, device=device)
        lengths = torch.tensor([len(one) for one in words], device=device)
        silent = (places >= lengths[:, None])[:, None, None, :]
        self._mask = torch.zeros(silent.shape, device=device, dtype=number).masked_fill_(silent, -torch.inf)
        for cross in self._weights.crosses:
            matrix, bias = cross.pairs.weight, cross.pairs.bias
            # Row by row: a product of many rows may round otherwise than one of few.
            projected = torch.stack([F.linear(one.to(matrix.dtype), matrix, bias) for one in source])
            both = projected.view(len(words), longest, 2, self._weights.heads, -1).permute(2, 0, 3, 1, 4)
            self._words += both.to(number).contiguous().unbind(0)

    def _hear_nothing(self) -> None:
        """What rows without words hear: the values of nothing, which is their bias; without one, nothing."""
        crosses = self._weights.crosses
        biased = bool(crosses) and (crosses[0].pairs.bias is not None or crosses[0].out.bias is not None)
        if not crosses or not (self._words or biased):
            return
        dim = self._weights.dim
        for cross in crosses:
            heard = torch.zeros((self.padded, dim), device=self._weights.device)
            if cross.pairs.bias is not None:
                heard += cross.pairs.bias[dim:].float()
            self._heard.append(heard)
