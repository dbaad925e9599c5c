"""The training loss: each codebook's next token under the model's own pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def pattern_sequence(lm: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """What the model reads and what it must say, both `[batch, codebooks, frames]`.

    `tokens` `[batch, codebooks, frames]` is laid out by the model's pattern (delayed codebooks) up
    to the last step at which every codebook is defined, as audiocraft trains it; what is read is
    the sequence without its last step, and the target is the same sequence one step later. The
    special token stands in both for what a codebook has not yet begun, and for padding.
    """
    pattern = lm.pattern_provider.get_pattern(tokens.shape[-1])
    sequence, _indexes, _mask = pattern.build_pattern_sequence(
        tokens.contiguous(), lm.special_token_id, keep_only_valid_steps=True
    )
    return sequence[..., :-1], sequence[..., 1:]


def cross_entropies(logits: Tensor, targets: Tensor, special: int) -> tuple[Tensor, Tensor]:
    """Summed cross-entropy and number of targets of each codebook, both `[codebooks]`.

    `logits` `[batch, codebooks, steps, codes]`; a target that is the special token counts nothing.
    """
    import torch.nn.functional as F

    losses = F.cross_entropy(
        logits.permute(0, 3, 1, 2).float(), targets, ignore_index=special, reduction="none"
    )
    return losses.sum(dim=(0, 2)), (targets != special).sum(dim=(0, 2))


def mean_loss(sums: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of the codebooks' means, and those `[codebooks]`.

    The formula of audiocraft's `MusicGenSolver._compute_cross_entropy`; a codebook without targets
    counts as zero.
    """
    each = sums / counts.clamp(min=1)
    return each.mean(), each
