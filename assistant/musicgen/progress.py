"""How far a fine-tune is, and its way to and from checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.musicgen import checkpoint

if TYPE_CHECKING:
    from assistant.musicgen.learner import Learner


@dataclass
class Progress:
    """How far a fine-tune is; kept in its checkpoints."""

    step: int = 0
    losses: list[list[float]] = field(default_factory=list)
    """Step and loss."""
    validations: list[list[float]] = field(default_factory=list)
    validation_each: list[float] | None = None
    """Of each codebook, at the last one."""
    best_step: int | None = None
    best_loss: float = float("inf")
    stale: int = 0
    """Validations since the best one."""
    attempt: int = 0
    """Counts rollbacks; other crops are drawn after one."""
    rate_scale: float = 1.0

    def looked(self, mean: float, each: list[float]) -> bool:
        """Note a look at held-out music after this step; whether it is the best so far.

        What the base gives, before the first step, is noted and never counts as the best.
        """
        self.validations.append([self.step, mean])
        self.validation_each = each
        if self.step == 0:
            return False
        if not mean < self.best_loss:  # nor what is no number
            self.stale += 1
            return False
        self.best_loss, self.best_step, self.stale = mean, self.step, 0
        return True


def save(
    folder: Path, learner: Learner, progress: Progress, notes: dict[str, Any], leads: bool
) -> Path | None:
    """Write a checkpoint of everything that the next step depends on; only the process that leads writes,
    but all must call. Raises `OSError`."""
    weights, average, state = learner.weights(), learner.average_weights(), learner.state()
    if not leads:
        return None
    return checkpoint.save(
        folder,
        progress.step,
        weights,
        {"learner": state, "progress": asdict(progress)},
        notes,
        average=average,
        best=progress.best_step,
    )


def load(
    folder: Path, learner: Learner, on_damaged: Callable[[Path], None] = lambda _path: None
) -> Progress | None:
    """Take up the newest checkpoint that is whole; None where there is none."""
    found = checkpoint.load_newest(folder, learner.device, on_damaged)
    if found is None:
        return None
    learner.load(found.weights, found.average, found.state["learner"])
    return Progress(**found.state["progress"])


def load_best(folder: Path, learner: Learner, progress: Progress) -> bool:
    """Put the best weights so far into the model; False where there are none to be had."""
    if progress.best_step is None:
        return False
    weights = checkpoint.load_best(folder, progress.best_step, learner.device)
    if weights is not None:
        learner.load_weights(weights)
    return weights is not None
