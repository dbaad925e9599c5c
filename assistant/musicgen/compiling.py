"""Whether and how the layers of a fine-tune are compiled."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import torch
from torch import Tensor

from assistant.i18n import _
from assistant.musicgen.forward import compute_layer
from assistant.musicgen.plan import Plan
from assistant.musicgen.spec import FinetuneSpec

LEAST_STEPS = 500
"""Compiling forward and backward of a layer takes a minute or more, which fewer steps do not save again."""


def why_not_compiled(spec: FinetuneSpec, plan: Plan, device: torch.device) -> str | None:
    """Why the layers are not compiled though that was asked for; None where they are."""
    if device.type != "cuda":
        return _("The layers are not compiled: on a CPU nearly all of a step is matrix products, which stay.")
    if plan.sharded:
        return _("The layers are not compiled: their weights are shared out.")
    if spec.steps < LEAST_STEPS:
        return _(
            "The layers are not compiled: {steps} steps are over before it pays; from {least} on it does."
        ).format(steps=spec.steps, least=LEAST_STEPS)
    if not has_compiler():
        return _("The layers are not compiled: Triton and a C compiler are needed, and are not both here.")
    return None


def has_compiler() -> bool:
    """Whether torch can compile for a GPU here."""
    from torch.utils._triton import has_triton

    return has_triton() and any(shutil.which(name) for name in ("cc", "gcc", "clang"))


def compiled_layer(backend: str = "inductor") -> Callable[..., Tensor]:
    """`compute_layer`, compiled once for all layers, which differ in nothing but their weights."""
    made: Callable[..., Tensor] = torch.compile(compute_layer, backend=backend)
    return made
