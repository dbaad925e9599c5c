"""Attention of a fine-tune: torch's own on a GPU, and a faster one on a CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK = 256
"""Queries at once."""
_SCORES_BYTES = 4 << 20
"""Scores at once, of one head at least: about what a core has in its caches."""
_FEW_KEYS = 64
"""Up to so many, as the words of a caption are, small products in float32 take less time than in bfloat16."""
_KEPT_BYTES = 16 << 20
"""Probabilities of a layer that are kept for the backward pass; above, they are computed again."""


def attend(
    q: Tensor, k: Tensor, v: Tensor, heads: int, *, causal: bool = False, words: Tensor | None = None
) -> Tensor:
    """Scaled dot-product attention of `[batch, steps, dim]`, in so many heads.

    `words` is true where a query may look, `[batch, 1, 1, keys]`.
    """
    if q.device.type == "cpu" and not torch.compiler.is_compiling():  # which cannot see through the blocks
        hidden = None if words is None else words[:, 0].logical_not().repeat_interleave(heads, 0)
        heard: Tensor = _InBlocks.apply(q, k, v, heads, causal, hidden)  # type: ignore[no-untyped-call]
        return heard
    q, k, v = (part.view(*part.shape[:2], heads, -1).transpose(1, 2) for part in (q, k, v))
    heard = F.scaled_dot_product_attention(q, k, v, attn_mask=words, is_causal=causal)
    return heard.transpose(1, 2).flatten(2)


class _InBlocks(torch.autograd.Function):
    """Attention in the products of a processor's best library; torch's own takes longer on a CPU.

    A block of queries of some heads is done at a time. With causal attention it sees the keys up to its end,
    so almost half of the products are not made. Where the probabilities are too many to be kept they are
    computed again in the backward pass, as in FlashAttention (Dao 2023, arXiv 2307.08691). `hidden`
    `[batch * heads, 1, keys]` is true for keys that nothing looks at.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, causal: bool, hidden: Tensor | None
    ) -> Tensor:
        scale, ctx.number = (q.shape[-1] // heads) ** -0.5, q.dtype
        q, k, v = _split(q, heads) * scale, _split(k, heads), _split(v, heads)
        if k.shape[1] <= _FEW_KEYS:
            q, k, v = q.float(), k.float(), v.float()
        heard = torch.empty_like(q)
        keeps = k.shape[1] * q[..., 0].nbytes <= _KEPT_BYTES and any(ctx.needs_input_grad)
        kept = []
        with torch.autocast("cpu", enabled=False):
            for part, rows, seen in _tiles(q, k, causal):
                shares = _shares(q[part, rows], k[part, :seen], causal, hidden, part)
                heard[part, rows] = torch.bmm(shares, v[part, :seen])
                if keeps:
                    kept.append(shares)
        ctx.save_for_backward(q, k, v, heard, hidden, *kept)
        ctx.heads, ctx.scale, ctx.causal = heads, scale, causal
        return _join(heard.to(ctx.number), heads)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, heard, hidden, *kept = ctx.saved_tensors
        wanted = _split(outer[0], ctx.heads).to(q.dtype)
        to_q = torch.empty_like(q)
        to_k, to_v = (torch.zeros_like(part, dtype=torch.float32) for part in (k, v))
        means = (wanted * heard).sum(-1, keepdim=True)
        with torch.autocast("cpu", enabled=False):
            for place, (part, rows, seen) in enumerate(_tiles(q, k, ctx.causal)):
                queries, keys = q[part, rows], k[part, :seen]
                shares = kept[place] if kept else _shares(queries, keys, ctx.causal, hidden, part)
                to_v[part, :seen] += torch.bmm(shares.transpose(1, 2), wanted[part, rows])
                change = torch.bmm(wanted[part, rows], v[part, :seen].transpose(1, 2))
                change.sub_(means[part, rows]).mul_(shares)
                to_q[part, rows] = torch.bmm(change, keys)
                to_k[part, :seen] += torch.bmm(change.transpose(1, 2), queries)
        parts = (to_q.mul_(ctx.scale), to_k, to_v)
        return (*(_join(part.to(ctx.number), ctx.heads) for part in parts), None, None, None)


def _tiles(q: Tensor, k: Tensor, causal: bool) -> Iterator[tuple[slice, slice, int]]:
    """Heads of the batch, queries, and how many keys they see; where the keys are few, more queries."""
    queries, keys = q.shape[1], k.shape[1]
    size = min(queries, _BLOCK if causal else max(_BLOCK, _BLOCK * queries // (2 * keys)))
    heads = max(1, _SCORES_BYTES // (size * keys * q.element_size()))
    for head in range(0, len(q), heads):
        for first in range(0, queries, size):
            last = min(queries, first + size)
            yield slice(head, head + heads), slice(first, last), last if causal else keys


def _shares(q: Tensor, k: Tensor, causal: bool, hidden: Tensor | None, part: slice) -> Tensor:
    """How much each of these queries hears of each key `[heads, queries, keys]`."""
    scores = torch.bmm(q, k.transpose(1, 2))
    if causal:
        size = q.shape[1]
        scores[:, :, -size:] += _future(size, scores.dtype)
    if hidden is not None:
        scores.masked_fill_(hidden[part], -math.inf)
    return torch.softmax(scores, -1)


@lru_cache(maxsize=4)
def _future(size: int, number: torch.dtype) -> Tensor:
    """Minus infinity where a query would look ahead `[size, size]`."""
    return torch.full((size, size), -math.inf, dtype=number).triu_(1)


def _split(x: Tensor, heads: int) -> Tensor:
    """`[batch, steps, dim]` as `[batch * heads, steps, dim / heads]`."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2).flatten(0, 1)


def _join(x: Tensor, heads: int) -> Tensor:
    return x.view(-1, heads, *x.shape[1:]).transpose(1, 2).flatten(2)
