"""What a fine-tune does with the memory there is: the way, the rank, and the crops at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from assistant.i18n import _
from assistant.musicgen.spec import FinetuneSpec

SMALL_CARD = 10 * 2**30
SMALL_MODEL = 50_000_000
"""Parameters below which training all of them costs no more than adapters do."""
_HELD_BACK = 0.12
"""Of the memory, for the allocator's pieces."""
_BESIDE_BYTES = 700 * 2**20
"""T5-base, the pieces of the heads' logits, and the workspaces of the libraries."""
_LAYER_BYTES = {("lora", True): 50, ("lora", False): 80, ("full", True): 45, ("full", False): 75}
"""For each position and channel of a layer until its backward pass, in half and in full precision. These and
the next two are counted by tests/bench/train_gpu_memory.py."""
_OUTSIDE_BYTES = 80
"""For each position and channel, of what is before and after the layers."""
_RECOMPUTED_BYTES = {True: 80, False: 120}
"""The same with the layer that is computed again, where only the inputs of layers are kept."""


@dataclass(frozen=True)
class Shape:
    """What the memory of a model depends on."""

    parameters: int
    dim: int
    layers: int
    frames: int
    """Of a crop."""


@dataclass(frozen=True)
class Plan:
    """How a fine-tune is done, and why so."""

    method: str
    rank: int
    alpha: float
    batch_size: int
    accumulation: int
    recompute: bool
    """Whether a layer's inner values are computed again in the backward pass."""
    memory_bytes: int
    """An estimate of what it needs."""
    reasons: tuple[str, ...]
    sharded: bool = False
    """Whether the layers' weights are shared out among the processes."""
    compiled: bool = False
    """Whether the layers are compiled."""


def shape_of(lm: Any, frames: int) -> Shape:
    """The shape of audiocraft's language model for crops of so many frames."""
    parameters = sum(int(parameter.numel()) for parameter in lm.parameters())
    return Shape(parameters, lm.dim, len(lm.transformer.layers), frames)


def choose_plan(spec: FinetuneSpec, shape: Shape, *, half: bool, memory: int | None) -> Plan:
    """Choose what the spec leaves open.

    `half` is a precision of 16 bits; `memory` is what the GPU has in bytes, None on a CPU, where the crops
    at once stay as they are asked for.
    """
    reasons = []
    method, why = _method(spec, shape)
    reasons.append(why)
    gib = (memory or 0) / 2**30
    rank = spec.rank or (16 if memory is not None and memory < SMALL_CARD else 32)
    if method == "lora" and not spec.rank:
        reasons.append(
            _("Rank {rank}, for a card of {gib:.0f} GiB.").format(rank=rank, gib=gib)
            if memory is not None
            else _("Rank {rank}.").format(rank=rank)
        )
    crops, world = spec.batch_size * spec.accumulation, spec.processes
    own = max(1, crops // world)
    small_moments = spec.optimizer == "adamw8bit"

    sharded = False

    def needed(batch: int, recompute: bool) -> int:
        share = replace(shape, parameters=-(-shape.parameters // world)) if sharded else shape
        return memory_needed(
            share,
            method,
            rank,
            batch,
            recompute,
            half,
            average=spec.ema > 0,
            small=small_moments,
            accumulates=batch < own,
        )

    batch, recompute = min(spec.batch_size, own), False
    usable = math.inf if memory is None else memory * (1 - _HELD_BACK)
    # A scale of float16 would have to be agreed on.
    can_share = method == "full" and world > 1 and spec.optimizer == "adamw" and spec.precision != "float16"
    sharded = can_share and (spec.shard or needed(1, True) > usable)
    if sharded:
        reasons.append(_("The weights are shared out among {count} processes.").format(count=world))
    if memory is not None:
        sizes = [size for size in range(own, 0, -1) if own % size == 0]
        ways = [(size, False) for size in sizes if size >= min(2, own)] + [(size, True) for size in sizes]
        least = min(ways, key=lambda way: needed(*way))
        batch, recompute = next((way for way in ways if needed(*way) <= usable), least)
        words = (
            _("{batch} crops at once, recomputing inside the layers, in {needed:.1f} of {gib:.0f} GiB.")
            if recompute
            else _("{batch} crops at once, in {needed:.1f} of {gib:.0f} GiB.")
        )
        reasons.append(words.format(batch=batch, needed=needed(batch, recompute) / 2**30, gib=gib))
        if needed(batch, recompute) > usable:
            reasons.append(_("It may not fit; adapters, shorter crops or a smaller model would."))
    return Plan(
        method=method,
        rank=rank,
        alpha=spec.alpha or float(rank),
        batch_size=batch,
        accumulation=-(-own // batch),
        recompute=recompute,
        memory_bytes=needed(batch, recompute),
        reasons=tuple(reasons),
        sharded=sharded,
    )


def trains_adapters(spec: FinetuneSpec, parameters: int) -> bool:
    """Whether adapters are trained of a model with so many parameters, rather than all of them."""
    return spec.method == "lora" or (spec.method == "auto" and parameters >= SMALL_MODEL)


def memory_needed(
    shape: Shape,
    method: str,
    rank: int,
    batch: int,
    recompute: bool,
    half: bool,
    *,
    average: bool = False,
    small: bool = False,
    accumulates: bool = True,
) -> int:
    """Bytes for weights, gradients, AdamW's two moments and the values kept for the backward pass.

    Of all weights 4 bytes each, 4 for the gradient and 8 for the moments, or 2 with `small` ones; and 2 for
    the copy that half precision computes with. Of adapters the same, and the base in the precision of the
    products. A single pass frees what it has kept while the gradients come; one that `accumulates` finds
    those of the pass before.
    """
    if method == "full":
        copies = 2 if half and not recompute else 0
        weights = shape.parameters * (4 + copies + (2 if small else 8) + (4 if average else 0))
        gradients = shape.parameters * 4
    else:
        own = shape.layers * rank * 26 * shape.dim  # q, k, v, out twice; up and down of four times the width
        weights = shape.parameters * (2 if half else 4) + own * 12
        gradients = own * 4
    token, last = batch * shape.frames * shape.dim, _RECOMPUTED_BYTES[half]
    each = shape.layers * 4 + last
    if not recompute:
        each = shape.layers * _LAYER_BYTES[method, half] + _OUTSIDE_BYTES
    most = token * each + gradients if accumulates else max(token * each, token * last + gradients)
    return weights + _BESIDE_BYTES + most


def _method(spec: FinetuneSpec, shape: Shape) -> tuple[str, str]:
    adapters = trains_adapters(spec, shape.parameters)
    if spec.method != "auto":
        return spec.method, (
            _("Adapters are trained, as asked.") if adapters else _("All weights are trained, as asked.")
        )
    if adapters:
        return "lora", _("Adapters are trained: they need a fraction of the memory and forget less.")
    return "full", _("All weights are trained: the model is small.")
