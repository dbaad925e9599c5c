"""The training loss: each codebook's next token under the delay pattern, without keeping any logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from assistant.errors import MusicHelperError
from assistant.i18n import _

_ROWS = 4096
"""Positions whose logits exist at once."""
_CPU_ROWS, _CACHED_ROWS = 256, 64
"""On a CPU, of one product, and of what is made of its result while that is in the cache of a core."""
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
        flat, wanted, lm.special_token_id, tuple(scales), number, torch.is_grad_enabled(), *weights, *biases
    )
    return loss, sums


class _HeadLoss(torch.autograd.Function):
    """Linear heads and cross-entropy in one: the gradients are made where the logits are, piece by piece,
    so that logits of a whole batch never exist."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        targets: Tensor,
        special: int,
        scales: tuple[float, ...],
        number: torch.dtype,
        learns: bool,
        *heads: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        codebooks = len(targets)
        weights = [weight.to(number) for weight in heads[:codebooks] if weight is not None]
        biases = heads[codebooks:]
        wanted = ctx.needs_input_grad
        wants_hidden, wants_heads = learns and wanted[0], learns and any(wanted[6:])
        gradient = torch.zeros_like(hidden, dtype=torch.float32) if wants_hidden else None
        gradients: list[Tensor | None] = [None] * len(heads)
        sums = torch.zeros(codebooks, device=hidden.device)
        for first in range(0, len(hidden), _ROWS):
            piece = hidden[first : first + _ROWS].to(number)
            errors = piece.new_empty((len(piece), len(weights[0]))) if learns else None
            for codebook, weight in enumerate(weights):
                target, scale = targets[codebook, first : first + _ROWS], scales[codebook]
                sums[codebook] += _cross_entropy(piece, weight, biases[codebook], target, special, errors)
                if errors is not None and gradient is not None:
                    _add_product(gradient[first : first + _ROWS], errors, weight, scale)
                if errors is None or not wants_heads:
                    continue
                found = [torch.mm(errors.t(), piece)]
                found += [] if biases[codebook] is None else [errors.sum(0, dtype=torch.float32)]
                for place, one in zip((codebook, codebooks + codebook), found, strict=False):
                    one, known = one.float().mul_(scale), gradients[place]
                    gradients[place] = one if known is None else known.add_(one)
        ctx.gradient, ctx.gradients, ctx.dtype = gradient, gradients, hidden.dtype
        ctx.mark_non_differentiable(sums)
        return (sums * torch.tensor(scales, device=sums.device)).sum(), sums

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Any, ...]:
        factor = outer[0]
        found = [ctx.gradient, *ctx.gradients]
        del ctx.gradient, ctx.gradients  # or they would stay until the loss is forgotten
        if factor.is_cuda or float(factor) != 1.0:
            found = [None if one is None else one * factor for one in found]
        hidden = None if found[0] is None else found[0].to(ctx.dtype)
        return (hidden, None, None, None, None, None, *found[1:])


def _cross_entropy(
    piece: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, special: int, errors: Tensor | None
) -> Tensor:
    """The summed cross-entropy of one head over the positions `piece` `[steps, dim]`; the gradient of each
    logit goes into `errors` `[steps, card]`."""
    absent = target == special
    wanted = target.masked_fill(absent, 0)[:, None]
    one = torch.ones_like(wanted, dtype=torch.float32)
    right = torch.empty_like(one)
    rows, few = (len(piece), len(piece)) if piece.is_cuda else (_CPU_ROWS, _CACHED_ROWS)
    for first in range(0, len(piece), rows):
        logits = torch.mm(piece[first : first + rows], weight.t())
        for some, place in zip(torch.split(logits, few), range(first, len(piece), few), strict=False):
            part = slice(place, place + len(some))
            exact = some.float()
            if bias is not None:
                exact += bias.float()
            into = None if errors is None else errors[part]
            same = into is not None and into.dtype == exact.dtype
            shares = torch.softmax(exact, -1, out=into if same else None)
            torch.gather(shares, 1, wanted[part], out=right[part])
            if into is not None:
                shares.scatter_add_(1, wanted[part], -one[part])
                if not same:
                    into.copy_(shares)
    if errors is not None:
        if errors.is_cuda:  # it would have to be waited for, to be told how many there are
            errors.masked_fill_(absent[:, None], 0.0)
        else:
            errors.index_fill_(0, absent.nonzero()[:, 0], 0.0)
    return -right.clamp_(min=_LEAST).log_().masked_fill_(absent[:, None], 0.0).sum()


def _add_product(into: Tensor, left: Tensor, right: Tensor, scale: float) -> None:
    if left.dtype == into.dtype:
        into.addmm_(left, right, alpha=scale)
    else:
        into.add_(torch.mm(left, right), alpha=scale)
