"""The training loss: each codebook's next token under the delay pattern, without keeping any logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from assistant.errors import MusicHelperError
from assistant.i18n import _

_CPU_ROWS = 256
_GPU_ROWS = 4096
"""Positions whose logits exist at once: on a CPU, as many as its cache holds."""
_LEAST = 1e-38
"""Of a probability, so that its logarithm is a number."""


def delays_of(lm: Any) -> list[int]:
    """The delay of each codebook in frames. Raises `MusicHelperError` for another pattern."""
    provider = lm.pattern_provider
    if (
        type(provider).__name__ != "DelayedPatternProvider"
        or provider.flatten_first
        or provider.empty_initial
    ):
        raise MusicHelperError(
            _("A model with this pattern of codebooks cannot be fine-tuned."),
            _("Models with delayed codebooks can, as all of Meta's MusicGen are."),
        )
    return list(provider.delays)


def delayed(tokens: Tensor, delays: Sequence[int], special: int) -> tuple[Tensor, Tensor]:
    """What the model reads and what it must say, both `[batch, codebooks, frames]`.

    Codebook k of `tokens` `[batch, codebooks, frames]` comes `delays[k]` steps late; the sequence ends
    at the last step at which every codebook is defined, as audiocraft's `build_pattern_sequence` with
    `keep_only_valid_steps` has it. What is read is one step behind the target. The special token stands
    for what a codebook has not yet begun, and for padding.
    """
    frames = tokens.shape[-1]
    read, targets = torch.full_like(tokens, special), torch.full_like(tokens, special)
    for codebook, delay in enumerate(delays):
        targets[:, codebook, delay:] = tokens[:, codebook, : frames - delay]
    read[..., 1:] = targets[..., :-1]
    return read, targets


def count_targets(tokens: Tensor, delays: Sequence[int], special: int) -> Tensor:
    """The number of targets of each codebook `[codebooks]`, as `delayed` would give them."""
    frames = tokens.shape[-1]
    return torch.stack(
        [(tokens[:, codebook, : frames - delay] != special).sum() for codebook, delay in enumerate(delays)]
    )


def scales_of(counts: Tensor) -> list[float]:
    """What each target of a codebook weighs, so that the loss is the mean of the codebooks' means.

    The formula of audiocraft's `MusicGenSolver._compute_cross_entropy`; a codebook without targets
    counts as zero.
    """
    return [1 / (len(counts) * count) if count else 0.0 for count in counts.tolist()]


def head_losses(
    lm: Any,
    hidden: Tensor,
    targets: Tensor,
    scales: Sequence[float],
    number: torch.dtype = torch.float32,
    deltas: Sequence[Tensor | None] | None = None,
) -> tuple[Tensor, Tensor]:
    """The scaled loss and each codebook's summed cross-entropy `[codebooks]`, which has no gradient.

    `hidden` `[batch, steps, dim]` goes through the model's heads in products of type `number`;
    `targets` `[batch, codebooks, steps]`, where the special token counts nothing; `deltas` are added
    to the heads' weights.
    """
    weights = [head.weight for head in lm.linears]
    if deltas is not None:
        weights = [
            weight if delta is None else weight + delta for weight, delta in zip(weights, deltas, strict=True)
        ]
    flat, wanted = hidden.flatten(0, 1), targets.transpose(0, 1).flatten(1)
    if not targets.is_cuda:  # on a GPU it would wait for the count
        present = (wanted != lm.special_token_id).any(0)
        if not bool(present.all()):
            flat, wanted = flat[present], wanted[:, present]
    biases = [head.bias for head in lm.linears]
    loss: Tensor
    loss, sums = _HeadLoss.apply(  # type: ignore[no-untyped-call]
        flat, wanted, lm.special_token_id, tuple(scales), number, *weights, *biases
    )
    return loss, sums


class _HeadLoss(torch.autograd.Function):
    """Linear heads and cross-entropy in one: the gradients are made where the logits are, piece by piece,
    so that no piece leaves the cache and logits of a whole batch never exist."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        targets: Tensor,
        special: int,
        scales: tuple[float, ...],
        number: torch.dtype,
        *heads: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        codebooks = len(targets)
        weights = [weight.to(number) for weight in heads[:codebooks] if weight is not None]
        biases = heads[codebooks:]
        wanted = ctx.needs_input_grad
        wants_hidden, wants_heads = wanted[0], any(wanted[5:])
        gradient = torch.zeros_like(hidden, dtype=torch.float32) if wants_hidden else None
        gradients = [
            None if head is None or not wants_heads else torch.zeros_like(head, dtype=torch.float32)
            for head in heads
        ]
        sums = torch.zeros(codebooks, device=hidden.device)
        rows = _GPU_ROWS if hidden.is_cuda else _CPU_ROWS
        for first in range(0, len(hidden), rows):
            piece = hidden[first : first + rows].to(number)
            for codebook, weight in enumerate(weights):
                target = targets[codebook, first : first + rows, None]
                present = (target != special).float()
                target = torch.where(target == special, 0, target)
                bias = biases[codebook]
                logits = torch.mm(piece, weight.t()).float()
                if bias is not None:
                    logits += bias.float()
                shares = torch.softmax(logits, -1)
                right = shares.gather(1, target).clamp_(min=_LEAST)
                sums[codebook] -= (right.log_() * present).sum()
                if not (wants_hidden or wants_heads):
                    continue
                error = shares
                error.scatter_add_(1, target, torch.full_like(present, -1.0))
                error *= present
                scale, small = scales[codebook], error.to(number)
                if gradient is not None:
                    _add_product(gradient[first : first + rows], small, weight, scale)
                head, offset = gradients[codebook], gradients[codebooks + codebook]
                if head is not None:
                    _add_product(head, small.t(), piece, scale)
                if offset is not None:
                    offset.add_(error.sum(0), alpha=scale)
        ctx.gradient, ctx.gradients, ctx.dtype = gradient, gradients, hidden.dtype
        ctx.mark_non_differentiable(sums)
        return (sums * torch.tensor(scales, device=sums.device)).sum(), sums

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Any, ...]:
        factor = outer[0]
        hidden = None if ctx.gradient is None else (ctx.gradient * factor).to(ctx.dtype)
        heads = [None if gradient is None else gradient * factor for gradient in ctx.gradients]
        return (hidden, None, None, None, None, *heads)


def _add_product(into: Tensor, left: Tensor, right: Tensor, scale: float) -> None:
    if left.dtype == into.dtype:
        into.addmm_(left, right, alpha=scale)
    else:
        into.add_(torch.mm(left, right), alpha=scale)
