"""The kinds of run there are, and the function that does each. A run's folder cannot name code."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.errors import CallError
from assistant.i18n import _
from assistant.runs.gpu import device_for

if TYPE_CHECKING:
    from assistant.runs.context import RunContext

Job = Callable[["RunContext"], None]


@dataclass(frozen=True)
class Kind:
    """How a kind of run is done."""

    job: str
    """`module:function`, imported only in the run's process."""
    device: str = ""
    """What it always computes on; empty where the spec says."""


KINDS: dict[str, Kind] = {
    "finetune": Kind("assistant.runs.jobs:finetune"),
    "classifier": Kind("assistant.runs.jobs:classifier", device="cpu"),
}


def kind_named(name: str) -> Kind:
    """The kind of this name. Raises `CallError` where there is none."""
    if name not in KINDS:
        raise CallError(
            _("There is no kind of run named {name!r}.").format(name=name),
            _("These are known: {names}.").format(names=", ".join(KINDS)),
        )
    return KINDS[name]


def device_of(kind: str, spec: dict[str, Any]) -> str:
    """What a run will compute on, as `cpu` or `cuda:N`."""
    return kind_named(kind).device or device_for(str(spec.get("device", "auto")))


def load_job(kind: str) -> Job:
    """Import what does this kind of run; may import torch."""
    module, _colon, function = kind_named(kind).job.partition(":")
    job: Job = getattr(importlib.import_module(module), function)
    return job
