"""Attention of a fine-tune: torch's own, and a faster one for half precision on a CPU."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK = 128
"""Queries at once: the scores of a block and a head stay in the cache."""


def attend(
    q: Tensor, k: Tensor, v: Tensor, heads: int, *, causal: bool = False, words: Tensor | None = None
) -> Tensor:
    """Scaled dot-product attention of `[batch, steps, dim]`, in so many heads.

    `words` is true where a query may look, `[batch, 1, 1, keys]`.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        hidden = None if words is None else words[:, 0].logical_not().repeat_interleave(heads, 0)
        heard: Tensor = _InBlocks.apply(q, k, v, heads, causal, hidden)  # type: ignore[no-untyped-call]
        return heard
    q, k, v = (part.view(*part.shape[:2], heads, -1).transpose(1, 2) for part in (q, k, v))
    heard = F.scaled_dot_product_attention(q, k, v, attn_mask=words, is_causal=causal)
    return heard.transpose(1, 2).flatten(2)


class _InBlocks(torch.autograd.Function):
    """Attention with products of 16 bits; torch's own on a CPU takes twice as long for them.

    With causal attention a block of queries sees the keys up to its end, so almost half of the products are
    not made. The probabilities are computed again in the backward pass, as in FlashAttention (Dao 2023,
    arXiv 2307.08691). `hidden` `[batch * heads, 1, keys]` is true for keys that nothing looks at.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, causal: bool, hidden: Tensor | None
    ) -> Tensor:
        scale = (q.shape[-1] // heads) ** -0.5
        q, k, v = _split(q, heads) * scale, _split(k, heads), _split(v, heads)
        heard = torch.empty_like(q)
        with torch.autocast("cpu", enabled=False):
            for rows, seen in _blocks(q.shape[1], k.shape[1], causal):
                heard[:, rows] = torch.bmm(_shares(q[:, rows], k[:, :seen], causal, hidden), v[:, :seen])
        ctx.save_for_backward(q, k, v, heard, hidden)
        ctx.heads, ctx.scale, ctx.causal = heads, scale, causal
        return _join(heard, heads)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, heard, hidden = ctx.saved_tensors
        wanted = _split(outer[0], ctx.heads)
        to_q = torch.empty_like(q)
        to_k, to_v = (torch.zeros_like(part, dtype=torch.float32) for part in (k, v))
        means = (wanted * heard).sum(-1, keepdim=True)
        for rows, seen in _blocks(q.shape[1], k.shape[1], ctx.causal):
            shares = _shares(q[:, rows], k[:, :seen], ctx.causal, hidden)
            to_v[:, :seen] += torch.bmm(shares.transpose(1, 2), wanted[:, rows])
            change = torch.bmm(wanted[:, rows], v[:, :seen].transpose(1, 2))
            change.sub_(means[:, rows]).mul_(shares)
            to_q[:, rows] = torch.bmm(change, k[:, :seen])
            to_k[:, :seen] += torch.bmm(change.transpose(1, 2), q[:, rows])
        parts = (to_q.mul_(ctx.scale), to_k.to(k.dtype), to_v.to(v.dtype))
        return (*(_join(part, ctx.heads) for part in parts), None, None, None)


def _blocks(queries: int, keys: int, causal: bool) -> list[tuple[slice, int]]:
    """Queries, and how many keys they see."""
    firsts = range(0, queries, _BLOCK)
    lasts = [min(queries, first + _BLOCK) for first in firsts]
    return [(slice(first, last), last if causal else keys) for first, last in zip(firsts, lasts, strict=True)]


def _shares(q: Tensor, k: Tensor, causal: bool, hidden: Tensor | None) -> Tensor:
    """How much each of these queries hears of each key `[batch * heads, queries, keys]`."""
    scores = torch.bmm(q, k.transpose(1, 2))
    if causal:
        size = q.shape[1]
        scores[:, :, -size:] += torch.full((size, size), -math.inf, dtype=scores.dtype).triu_(1)
    if hidden is not None:
        scores.masked_fill_(hidden, -math.inf)
    return torch.softmax(scores, -1)


def _split(x: Tensor, heads: int) -> Tensor:
    """`[batch, steps, dim]` as `[batch * heads, steps, dim / heads]`."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2).flatten(0, 1)


def _join(x: Tensor, heads: int) -> Tensor:
    return x.view(-1, heads, *x.shape[1:]).transpose(1, 2).flatten(2)
