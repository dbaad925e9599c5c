"""The optimiser, its schedule, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from assistant.musicgen.adam8bit import AdamW8bit
from assistant.musicgen.sharding import is_shared_out, share_of

FINAL_LEARNING_RATE = 0.1
"""The schedule ends at this part of its peak."""
LORA_LEARNING_RATE = 2e-4
"""musicgen-dreamboothing: "great results" at rank 16 in four passes over half an hour of music."""
BETAS = (0.9, 0.95)
EMA_EVERY = 10
"""Updates between two of the average, as in audiocraft's `solver/musicgen`."""


def suitable_learning_rate(parameters: int, lora: bool) -> float:
    """A peak that suits the model: the lower, the larger it is."""
    if lora:
        return LORA_LEARNING_RATE
    if parameters < 50_000_000:
        return 3e-4
    return 1e-5 if parameters < 2_500_000_000 else 5e-6


def learning_rate(step: int, steps: int, warmup: int, peak: float) -> float:
    """Linear warm-up, then half a cosine down to a tenth.

    A warm-up never takes more than a tenth of a run, or a short run would end before it is over.
    """
    warmup = min(warmup, steps // 10)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1, steps - warmup)
    return peak * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * 0.5 * (1 + math.cos(math.pi * share)))


def make_optimizer(
    parameters: Mapping[str, Tensor], weight_decay: float, kind: str = "adamw"
) -> torch.optim.Optimizer:
    """Fused AdamW, or `adamw8bit`; weights that are matrices decay, gains and biases do not."""
    by_kind: dict[tuple[bool, bool], list[Tensor]] = {}
    for one in parameters.values():
        by_kind.setdefault((one.dim() >= 2, is_shared_out(one)), []).append(one)
    groups = [
        {"params": members, "weight_decay": weight_decay if matrices else 0.0}
        for (matrices, _shared), members in by_kind.items()
    ]
    if kind == "adamw8bit":
        return AdamW8bit(groups, lr=0.0, betas=BETAS)
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, fused=True)


def clip_by_norm(parameters: Iterable[Tensor], limit: float) -> float:
    """Scale the gradients down where their norm exceeds `limit`; the norm that they had."""
    trained = [one for one in parameters if one.grad is not None]
    norm = torch.nn.utils.get_total_norm([one.grad for one in trained if one.grad is not None])
    found = float(norm)
    if found > limit:  # torch's own `clip_grad_norm_` multiplies all gradients also by one
        torch.nn.utils.clip_grads_with_norm_(trained, limit, norm)
    return found


class MovingAverage:
    """An exponential moving average of the trained weights, taken every ten updates.

    It begins with a short memory, so that a run of a hundred updates is not ruled by its start.
    """

    def __init__(self, parameters: Mapping[str, Tensor], decay: float) -> None:
        self._parameters = parameters
        self._decay = decay
        self.taken = 0
        self.values = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update number `step`, where it is time."""
        if step % EMA_EVERY:
            return
        self.taken += 1
        decay = min(self._decay, (1 + self.taken) / (10 + self.taken))
        for name, value in self.values.items():
            value.lerp_(self._parameters[name].detach(), 1 - decay)

    @torch.no_grad()
    def load(self, values: Mapping[str, Tensor], taken: int) -> None:
        """Go on from a saved average."""
        self.taken = taken
        for name, value in self.values.items():
            value.copy_(share_of(values[name], value))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model have the averaged weights inside."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            kept = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(kept)
