"""What a fine-tune takes of a GPU's memory, counted without a GPU, and what in a step waits for the GPU.

    uv run python tests/bench/train_gpu_memory.py [--sizes small,medium,large] [--cards 6,8,12] [--write]

Models of the true shapes are built on a GPU that is not here (see `fake_card.py`) by the program's own
functions, and the trainer's own update is called, optimizer included, with the plan that the program
chooses for a card of so many GiB, of which CUDA and the screen have taken some. Counted are the live tensors
after each operation, T5 among them, and what FlashAttention takes for itself. Not contained are CUDA's
context (about 0.5 GiB), the workspaces of cuBLAS (tens of MiB), and what the allocator cannot use of its
pieces; the plan's estimate holds some memory back for these. In the last column attention is torch's plain
one, which a GPU takes where it has no better kernel, and which keeps a matrix of steps by steps for each
head.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assistant.config import Settings
from assistant.musicgen import attention, backend, blueprint, forward
from assistant.musicgen.dataset import Batch
from assistant.musicgen.learner import Learner
from assistant.musicgen.plan import Plan, Shape, choose_plan, shape_of, trains_adapters
from assistant.musicgen.spec import FinetuneSpec
from tests.bench.fake_card import Card, Waiting
from tests.bench.results import save, table
from tests.bench.train_peers import CAPTIONS, CARD, CODEBOOKS, FRAME_RATE, SIZES

GIB = 2**30
TAKEN = GIB * 6 // 10
"""Of a card, by CUDA's context and a screen, when a fine-tune looks at what is free."""
WAYS: dict[str, dict[str, Any]] = {
    "style": {"preset": "style"},
    "full": {"preset": "full"},
    "full, adamw8bit": {"preset": "full", "optimizer": "adamw8bit"},
}
PARAMETERS = {"tiny": 10**6, "small": 420_400_000, "medium": 1_838_700_000, "large": 3_257_000_000}
"""Of Meta's models, and fewer than `plan.SMALL_MODEL`."""
KINDS = ("weights", "gradients", "optimizer", "average")


@dataclass(frozen=True)
class Counted:
    """Of one way on one card, in bytes."""

    plan: Plan
    peak: int
    loading: int
    """The most until the first step."""
    kinds: dict[str, int]
    """What the peak is made of."""
    waits: dict[Waiting, int]
    """In the update."""


def build(size: str, device: torch.device, number: torch.dtype) -> Any:
    """A language model of audiocraft's as `load_lm` has it built, with a T5-base in float32."""
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    from tests.musicgen.random_t5 import use_random_t5

    backend.prepare()
    dim, heads, layers, *_clip = SIZES[size]
    config = blueprint.lm_config(span_seconds=30.0)
    config.update(device=str(device), dtype=str(number).removeprefix("torch."))
    config["transformer_lm"].update(dim=dim, num_heads=heads, num_layers=layers, card=CARD)
    # The first values mean nothing here, and take their time.
    config["transformer_lm"].update(weight_init=None, depthwise_init=None, zero_bias_init=False)
    lm: Any = builders.get_lm_model(OmegaConf.create(config))
    lm.cfg = OmegaConf.create(config)
    with device:
        small = size == "tiny"
        use_random_t5(lm, 64, 1, 2, 128) if small else use_random_t5(lm, 768, 12, 12, 3072)
    conditioner = lm.condition_provider.conditioners["description"]
    conditioner.device = str(device)
    conditioner.t5.to(device)
    return lm.to(device).train()


def counted(card: Card, size: str, spec: FinetuneSpec, memory: int | None) -> Counted:
    """An update, of two passes at most, of a model that is built on a card and has its moments already."""
    number = torch.bfloat16
    _forget_tables()  # one that is there already would not be counted
    with card:
        halved = card.device.type == "cuda" and trains_adapters(spec, PARAMETERS[size])
        lm = build(size, card.device, number if halved else torch.float32)
        card.mark(lm.parameters(), "weights")
        card.mark(lm.condition_provider.conditioners["description"].t5.parameters(), "weights")
        frames = int(spec.crop_seconds * FRAME_RATE)
        plan = choose_plan(spec, shape_of(lm, frames), half=True, memory=memory)
        learner = Learner(lm, spec, plan, number)
        card.mark([*lm.parameters(), *learner.trained.values()], "weights")
        if learner.average is not None:
            card.mark(learner.average.values.values(), "average")
        for one in learner.trained.values():
            one.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                lambda one: card.mark([_gradient(one)], "gradients")
            )
        loading = card.peak
        crops = min(spec.batch_size * spec.accumulation, 2 * plan.batch_size)
        tokens = np.random.default_rng(0).integers(0, CARD, (crops, CODEBOOKS, frames))
        captions = [CAPTIONS[place % len(CAPTIONS)] for place in range(crops)]
        batch = Batch(tokens.astype(np.int64), list(captions))
        with torch.no_grad():
            learner._conditions.tensors(batch.captions)  # T5 runs once for each text
        for one in learner.trained.values():
            one.grad = torch.zeros_like(one)
        learner.optimizer.step()
        learner.optimizer.zero_grad(set_to_none=True)
        for one in tree_leaves([*learner.optimizer.state.values()]):
            card.mark([one], "optimizer")
        del one  # the optimizer of 8 bits replaces them
        card.waits.clear()
        learner.update(batch, 1e-5, 10)
        _forget_tables()
    return Counted(plan, card.peak, loading, card.at_peak(), dict(card.waits))


def _forget_tables() -> None:
    forward._positions.clear()
    attention._future.cache_clear()


def _gradient(one: Tensor) -> Tensor:
    assert one.grad is not None
    return one.grad


@contextmanager
def attending(kind: str) -> Iterator[None]:
    """Inside, attention is that of a GPU's `fused` kernels, or torch's `plain` one."""

    def chosen(
        q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        ops = torch.ops.aten
        if torch.is_autocast_enabled(q.device.type):
            q, k, v = (one.to(torch.get_autocast_dtype(q.device.type)) for one in (q, k, v))
        if kind == "plain":
            return ops._scaled_dot_product_attention_math(q, k, v, attn_mask, 0.0, is_causal)[0]  # type: ignore[no-any-return]
        if attn_mask is None:
            return ops._scaled_dot_product_flash_attention(q, k, v, 0.0, is_causal)[0]  # type: ignore[no-any-return]
        bias = torch.zeros_like(attn_mask, dtype=q.dtype).masked_fill_(~attn_mask, -torch.inf)
        bias = F.pad(bias, (0, -bias.shape[-1] % 8))[..., : bias.shape[-1]]  # as torch aligns it
        bias = bias.expand(*q.shape[:3], k.shape[2])
        return ops._scaled_dot_product_efficient_attention(q, k, v, bias, True)[0]  # type: ignore[no-any-return]

    with mock.patch("assistant.musicgen.attention.F", SimpleNamespace(scaled_dot_product_attention=chosen)):
        yield


class Table:
    """Rows of ways on cards; a plan is counted once, and none that says itself that it does not fit."""

    def __init__(self, plain: bool) -> None:
        self._with_plain = plain
        self.waits: dict[Waiting, int] = {}
        self._counted: dict[tuple[object, ...], Counted] = {}
        self._plain: dict[str, str] = {}

    def row(self, size: str, way: str, gib: int) -> list[object]:
        """A way on a card."""
        spec = FinetuneSpec.from_settings(Settings(), name="bench", **WAYS[way])
        memory = gib * GIB - TAKEN
        frames = int(spec.crop_seconds * FRAME_RATE)
        dim, _heads, layers, *_clip = SIZES[size]
        plan = choose_plan(spec, Shape(PARAMETERS[size], dim, layers, frames), half=True, memory=memory)
        words = f"{plan.method} {plan.rank}" if plan.method == "lora" else plan.method
        words += f", {plan.batch_size} crops at once" + (", recomputed" if plan.recompute else "")
        estimate = f"{plan.memory_bytes / GIB:.2f}"
        if plan.memory_bytes > memory:
            uncounted = ["–"] * (len(KINDS) + 3)
            return [gib, size, way, words, *uncounted, estimate, "no, and the plan says so", "–"]
        key = (size, way, words)
        if key not in self._counted:
            with attending("fused"):
                self._counted[key] = counted(Card(), size, spec, memory)
        found = self._counted[key]
        for wait, count in found.waits.items():
            self.waits[wait] = max(count, self.waits.get(wait, 0))
        plain = "–"
        if self._with_plain and way == "style" and self._plain.setdefault(size, words) == words:
            with attending("plain"):
                plain = f"{counted(Card(), size, spec, memory).peak / GIB:.2f}"
        kinds = [found.kinds.get(kind, 0) for kind in KINDS]
        most = max(found.peak, found.loading)
        parts = (*kinds, found.peak - sum(kinds), found.loading, most)
        fits = "yes" if most <= memory else "no"
        return [gib, size, way, words, *(f"{one / GIB:.2f}" for one in parts), estimate, fits, plain]


def main() -> None:
    """Count and print; with --write also into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--sizes", default="small,medium,large")
    parser.add_argument("--cards", default="6,8,12,24,80", help="GiB")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    parser.add_argument("--plain", action="store_true", help="count plain attention too")
    called = parser.parse_args()
    for size in called.sizes.split(","):
        for way in called.ways:
            words = counted_for(size, way, called)
            print(words)
            if called.write:
                save(f"train GPU memory, {size}, {way}", words)


def counted_for(size: str, way: str, called: argparse.Namespace) -> str:
    """The tables of a way of a model."""
    rows, counting = [], Table(called.plain)
    for gib in called.cards.split(","):
        rows.append(counting.row(size, way, int(gib)))
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    headers = ["card, GiB", "model", "preset", "the plan", *KINDS, "the rest", "loading, most"]
    headers += ["peak, GiB", "the plan's estimate", "fits", "peak, plain attention"]
    words = table(headers, rows)
    words += "\nIn a step of these the program waits for the GPU:\n\n"
    words += table(
        ["what for", "where", "times at most"],
        [[wait.what, f"`{wait.where}`", count] for wait, count in counting.waits.items()],
    )
    return words


if __name__ == "__main__":
    main()
