"""The trained part of a fine-tune: weights, optimiser, one update, and all that a checkpoint holds."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assistant.musicgen.compiling import compiled_layer
from assistant.musicgen.conditions import Conditions
from assistant.musicgen.dataset import Batch
from assistant.musicgen.distributed import World
from assistant.musicgen.forward import compute_layer, head_deltas, hidden_states, require_known_shape
from assistant.musicgen.lora import Adapters, adaptable, fold
from assistant.musicgen.loss import count_targets, delayed, delays_of, head_losses, scales_of
from assistant.musicgen.optimizer import MovingAverage, clip_by_norm, make_optimizer
from assistant.musicgen.plan import Plan
from assistant.musicgen.sharding import (
    clip_gradients,
    gathered,
    gathered_state,
    is_shared_out,
    shard_layers,
    share_of,
)
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.text_encoder import KeptTexts

_OUTPUT_PROJECTION = "condition_provider.conditioners.description.output_proj."


@dataclass(frozen=True)
class Losses:
    """Of the crops of a step, or of the held-out ones."""

    mean: float
    each: list[float]
    """One for each codebook."""
    targets: int


@dataclass(frozen=True)
class Update:
    """One update of the weights; nothing was changed where it is not finite."""

    losses: Losses
    gradient_norm: float
    finite: bool


class Learner:
    """A language model with what it takes to train it."""

    def __init__(
        self,
        lm: Any,
        spec: FinetuneSpec,
        plan: Plan,
        number: torch.dtype,
        world: World | None = None,
        texts: KeptTexts | None = None,
    ) -> None:
        require_known_shape(lm)
        self.lm = lm
        self.micro = plan.batch_size
        self.device = next(lm.parameters()).device
        self.number = number
        self._spec, self._plan = spec, plan
        self._world = world or World()
        self._delays = delays_of(lm)
        self._conditions = Conditions(lm, texts)
        self._compute = compiled_layer() if plan.compiled else None
        torch.manual_seed(spec.seed)
        self.adapters = None
        if plan.method == "lora":
            if self.device.type == "cuda":
                lm.to(number)  # only the adapters need more digits; a CPU has the memory
            self.adapters = Adapters(
                lm, rank=plan.rank, alpha=plan.alpha, targets=spec.targets, first_layer=spec.freeze_below
            )
        if plan.sharded:
            shard_layers(lm, compute_layer)
        self.trained = choose_trained(lm, self.adapters, spec.freeze_below)
        self.optimizer = make_optimizer(self.trained, spec.weight_decay, spec.optimizer)
        self.average = MovingAverage(self.trained, spec.ema) if spec.ema else None
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=number == torch.float16)

    def update(self, batch: Batch, rate: float, step: int) -> Update:
        """Learn from the crops of a step, the part of this process of them, `micro` at a time.

        The loss, and so the update, is the same however the crops are divided. Raises
        `torch.OutOfMemoryError` with the weights as they were, in all processes if in one.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        counts = self._counts(batch)
        scales = scales_of(counts)
        own = self._world.part_of(len(batch))
        sums = torch.zeros(self.lm.num_codebooks, device=self.device)
        try:
            full = None
            try:
                with self._weights_cast_once():
                    for rows in _pieces(own, self.micro):
                        loss, some = self._losses(batch.part(rows), scales)
                        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                        sums += some
            except torch.OutOfMemoryError as error:
                full = error
            if self._world.any(full is not None):  # one alone would leave the others waiting
                raise torch.OutOfMemoryError from full
            gradients = [one.grad for one in self.trained.values() if one.grad is not None]
            self._world.add_up([sums, *(one for one in gradients if not is_shared_out(one))])
            self.scaler.unscale_(self.optimizer)
            limit = self._spec.gradient_clip or math.inf
            clip = clip_gradients if self._plan.sharded else clip_by_norm
            norm = clip(self.trained.values(), limit)
            losses = _told(sums, counts)
            # Half precision overflows now and then; its scaler then takes a smaller scale by itself.
            finite = math.isfinite(losses.mean) and (math.isfinite(norm) or self.scaler.is_enabled())
            if finite:
                self.scaler.step(self.optimizer)
                self.scaler.update()
        finally:
            self.optimizer.zero_grad(set_to_none=True)
        if finite and self.average is not None:
            self.average.update(step)
        return Update(losses, norm, finite)

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> Losses:
        """The losses of held-out crops; of the averaged weights, where there is an average."""
        counts = self._counts(batch)
        scales = scales_of(counts)
        sums = torch.zeros(self.lm.num_codebooks, device=self.device)
        # With shared-out weights all must take part in each pass.
        own = range(len(batch)) if self._plan.sharded else self._world.part_of(len(batch))
        with self.best_known(), self._weights_cast_once():
            for rows in _pieces(own, self.micro):
                sums += self._losses(batch.part(rows), scales)[1]
        if not self._plan.sharded:
            self._world.add_up([sums])
        return _told(sums, counts)

    def best_known(self) -> AbstractContextManager[None]:
        """Inside, the model has the weights that are looked at, sampled and exported."""
        return nullcontext() if self.average is None else self.average.in_place()

    @contextmanager
    def ready_to_generate(self) -> Iterator[Any]:
        """Inside, audiocraft's own forward computes what was learnt: adapters are in the weights."""
        kept: dict[str, Tensor] = {}
        with self.best_known(), torch.no_grad():
            if self.adapters is not None:
                names = {place.partition(".lora_")[0] for place, _one in self.adapters.named()}
                places = adaptable(self.lm, self._spec.targets)
                kept = {name: places[name].cpu().clone() for name in names}
                fold(self.lm, dict(self.adapters.named()), self._plan.alpha / self._plan.rank)
            self.lm.eval()
            try:
                yield self.lm
            finally:
                self.lm.train()
                for name, weight in kept.items():
                    places[name].copy_(weight)

    def weights(self) -> dict[str, Tensor]:
        """What is trained, whole; all processes must ask for it."""
        return gathered(self.trained)

    def all_weights(self) -> dict[str, Tensor]:
        """The model's whole state; all processes must ask for it."""
        return gathered(self.lm.state_dict())

    def average_weights(self) -> dict[str, Tensor] | None:
        """The average, whole, where there is one; all processes must ask for it."""
        return None if self.average is None else gathered(self.average.values)

    def smaller(self) -> bool:
        """Halve the crops at once after an out of memory; False where it is one already."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.micro == 1:
            return False
        self.micro = -(-self.micro // 2)
        return True

    def state(self) -> dict[str, Any]:
        """Everything beside the weights that the next step depends on; all processes must ask for it."""
        kept: Any = np.random.get_state(legacy=True)
        state: dict[str, Any] = {
            "optimizer": gathered_state(self.optimizer.state_dict()),
            "scaler": self.scaler.state_dict(),
            "averaged": self.average.taken if self.average else 0,
            "micro": self.micro,
            "rng": torch.get_rng_state(),
            "python_rng": random.getstate(),
            "numpy_rng": [torch.from_numpy(kept[1].astype(np.int64)), *kept[2:]],
        }
        if self.device.type == "cuda":
            state["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        return state

    @torch.no_grad()
    def load(
        self, weights: dict[str, Tensor], average: dict[str, Tensor] | None, state: dict[str, Any]
    ) -> None:
        """Be as a checkpoint has it."""
        self.load_weights(weights)
        self.optimizer.load_state_dict(self._shares(state["optimizer"]))
        self.scaler.load_state_dict(state["scaler"])
        self.micro = state["micro"]
        if self.average is not None and average is not None:
            self.average.load(average, state["averaged"])
        torch.set_rng_state(state["rng"])
        version, numbers, last = state["python_rng"]
        random.setstate((version, tuple(numbers), last))
        keys, place, has_one, one = state["numpy_rng"]
        np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), place, has_one, one))
        if self.device.type == "cuda" and "cuda_rng" in state:
            torch.cuda.set_rng_state(state["cuda_rng"], self.device)

    @torch.no_grad()
    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Put in trained weights by name."""
        for name, parameter in self.trained.items():
            parameter.copy_(share_of(weights[name], parameter))

    def _shares(self, state: dict[str, Any]) -> dict[str, Any]:
        """An optimizer's whole state as this process keeps it."""
        if not self._plan.sharded:
            return state
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        places = [place for group in state["param_groups"] for place in group["params"]]
        kept = {
            place: {
                name: share_of(value, weight) if value.dim() else value
                for name, value in state["state"][place].items()
            }
            for place, weight in zip(places, weights, strict=True)
            if place in state["state"]
        }
        return {**state, "state": kept}

    def _weights_cast_once(self) -> AbstractContextManager[None]:
        """Inside, the weights in half precision are made once for all passes: autocast forgets them when its
        outermost block ends, and this one encloses those of the passes."""
        return torch.autocast(self.device.type, enabled=False)

    def _counts(self, batch: Batch) -> Tensor:
        # Of the crops of all processes: each draws them all, and so none has to ask the others.
        return count_targets(torch.from_numpy(batch.tokens), self._delays, self.lm.special_token_id)

    def _losses(self, batch: Batch, scales: list[float]) -> tuple[Tensor, Tensor]:
        special = self.lm.special_token_id
        tokens = torch.from_numpy(batch.tokens)
        # What is padding in all of the crops is not computed; nothing looks ahead, so nothing else changes.
        heard = (tokens != special).any(0).any(0).nonzero()
        longest = int(heard[-1]) + 1 + max(self._delays) if len(heard) else 1
        read, targets = delayed(tokens[..., :longest], self._delays, special)
        read, targets = read.to(self.device, non_blocking=True), targets.to(self.device, non_blocking=True)
        half = self.number != torch.float32
        # Where memory is short, no second copy of the weights is kept.
        keeps = not (self._plan.recompute or self._plan.sharded)
        with torch.autocast(self.device.type, dtype=self.number, enabled=half, cache_enabled=keeps):
            conditions, mask = self._conditions.tensors(batch.captions, batch.melodies)
            hidden = hidden_states(
                self.lm,
                read,
                conditions,
                adapters=self.adapters,
                mask=mask,
                recompute=self._plan.recompute,
                sharded=self._plan.sharded,
                compute=self._compute,
            )
        return head_losses(self.lm, hidden, targets, scales, self.number, head_deltas(self.lm, self.adapters))


def choose_trained(lm: Any, adapters: Adapters | None, freeze_below: int) -> dict[str, Tensor]:
    """Freeze what is not trained; the rest by name. T5 and the codec are never trained."""
    for parameter in lm.parameters():
        parameter.requires_grad_(False)
    if adapters is not None:
        trained: dict[str, Tensor] = dict(adapters.named())
        projection = {name: one for name, one in lm.named_parameters() if name.startswith(_OUTPUT_PROJECTION)}
        for parameter in projection.values():
            parameter.data = parameter.data.float()
        trained |= projection
    else:
        frozen = tuple(f"transformer.layers.{number}." for number in range(freeze_below))
        frozen += ("emb.",) if freeze_below else ()
        trained = {
            name: one
            for name, one in lm.named_parameters()
            if not name.startswith(frozen) and ".t5." not in name
        }
    for parameter in trained.values():
        parameter.requires_grad_(True)
    return trained


def _pieces(rows: range, size: int) -> list[slice]:
    return [slice(first, min(first + size, rows.stop)) for first in range(rows.start, rows.stop, size)]


def _told(sums: Tensor, counts: Tensor) -> Losses:
    each = (sums.cpu().double() / counts.clamp(min=1)).tolist()
    return Losses(sum(each) / len(each), each, int(counts.sum()))
