"""Signs that a fine-tune has gone wrong, and how often it may."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

MOST_RESCUES = 5
"""Rollbacks without a new checkpoint in between until a run gives up."""
_WINDOW = 40
_STEPS_IN_A_ROW = 3
_LEAST_RISE = 0.5
_DEVIATIONS = 6.0


def has_spiked(losses: Sequence[float]) -> bool:
    """Whether the last few losses are all far above those before them.

    One odd crop is no spike, for its gradient is clipped: only several steps in a row are. Far is half
    a nat and six deviations (the median absolute one, times 1.48, of the last forty).
    """
    before, last = losses[:-_STEPS_IN_A_ROW][-_WINDOW:], losses[-_STEPS_IN_A_ROW:]
    if len(before) < _WINDOW // 2 or len(last) < _STEPS_IN_A_ROW:
        return False
    middle = statistics.median(before)
    spread = 1.48 * statistics.median(abs(loss - middle) for loss in before)
    return min(last) > middle + max(_LEAST_RISE, _DEVIATIONS * spread)
