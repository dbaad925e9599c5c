"""The layers of the language model as a decoding step computes them.

The modules hold packed weights and no state; keys, values and words are the caller's. They are written in
the part of Python that TorchScript compiles, and run uncompiled as well.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from assistant.musicgen.engine.source import Linear

_EPSILON = 1e-5  # of audiocraft's layer norms


class Norm(nn.Module):
    """Layer normalisation in float32, `[rows, dim]` to the same."""

    def __init__(self, norm: Linear) -> None:
        super().__init__()
        self._weight, self._bias = norm.weight, norm.bias
        self._shape = list(norm.weight.shape)
        self._epsilon = _EPSILON

    def forward(self, x: Tensor) -> Tensor:
        """Of `[rows, dim]`, the same shape."""
        return F.layer_norm(x, self._shape, self._weight, self._bias, self._epsilon)


class Cross(nn.Module):
    """Attention to the words, whose keys and values are computed once a clip."""

    def __init__(self, norm: nn.Module, query: nn.Module, out: nn.Module) -> None:
        super().__init__()
        self.norm, self.query, self.out = norm, query, out

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, heard: Tensor) -> Tensor:
        """`x` `[padded, dim]` after it heard the words.

        Keys and values `[crossed, heads, words, size]` are of the first rows; `heard` `[padded, dim]` is
        what the others hear, and is written to.
        """
        crossed, size = keys.size(0), keys.size(3)
        q = self.query(self.norm(x)).narrow(0, 0, crossed).to(keys.dtype).view(crossed, -1, 1, size)
        found = F.scaled_dot_product_attention(q, keys, values, mask, 0.0, False)
        heard.narrow(0, 0, crossed).copy_(found.view(crossed, -1))
        return x + self.out(heard)


class Layer(nn.Module):
    """One layer, normed first."""

    def __init__(
        self,
        norm: nn.Module,
        qkv: nn.Module,
        out: nn.Module,
        cross: Cross | None,
        inner_norm: nn.Module,
        up: nn.Module,
        gelu: bool,
        down: nn.Module,
    ) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = norm, qkv, out
        self.cross = cross
        self.inner_norm, self.up, self.gelu, self.down = inner_norm, up, gelu, down

    def forward(
        self, x: Tensor, place: Tensor, attended: int, bias: Tensor | None, keys: Tensor, values: Tensor
    ) -> Tensor:
        """`x` `[padded, dim]` after it heard the first `attended` places of the caches."""
        rows, heads, size = keys.size(0), keys.size(1), keys.size(3)
        packed = self.qkv(self.norm(x)).to(keys.dtype).view(-1, 3, heads, 1, size)
        q, k, v = packed.narrow(0, 0, rows).unbind(1)
        keys.index_copy_(2, place, k)
        values.index_copy_(2, place, v)
        heard = F.scaled_dot_product_attention(
            q, keys.narrow(2, 0, attended), values.narrow(2, 0, attended), bias, 0.0, False
        )
        heard = heard.reshape(rows, heads * size).float()
        if rows < x.size(0):
            heard = F.pad(heard, [0, 0, 0, x.size(0) - rows])
        return x + self.out(heard)

    def inner(self, x: Tensor) -> Tensor:
        """`x` `[rows, dim]` after the feed-forward part."""
        wide = self.up(self.inner_norm(x))
        return x + self.down(F.gelu(wide) if self.gelu else F.relu(wide))


class Stack(nn.Module):
    """All layers and the heads."""

    def __init__(self, layers: list[Layer], norm: nn.Module, heads: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm, self.heads = norm, heads

    def forward(
        self,
        x: Tensor,
        place: Tensor,
        attended: int,
        bias: Tensor | None,
        keys: list[Tensor],
        values: list[Tensor],
        words: list[Tensor],
        mask: Tensor | None,
        heard: list[Tensor],
    ) -> Tensor:
        """Logits `[padded, codebooks · card]` for one token a row, with its position, `[padded, dim]`.

        Its key and value are written to the caches `[rows, heads, length, size]` of each layer at `place`
        `[1]`, which may be known to the device alone. The first `attended` places are heard; where they are
        more than were written, `bias` `[1, attended]` is minus infinity for the rest. `words` are keys and
        values in turn, `[crossed, heads, words, size]`; empty lists where no row hears words.
        """
        for number, layer in enumerate(self.layers):
            x = layer(x, place, attended, bias, keys[number], values[number])
            if layer.cross is not None:
                if len(words) > 0:
                    x = layer.cross(x, words[2 * number], words[2 * number + 1], mask, heard[number])
                elif len(heard) > 0:
                    x = x + layer.cross.out(heard[number])
            x = layer.inner(x)
        return self.heads(self.norm(x))
