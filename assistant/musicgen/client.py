"""Work on models from the side that asks: another process does it, this one stays light."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from assistant.library.library import Library
from assistant.musicgen.spec import FinetuneSpec
from assistant.workers import Emit, Worker

WORKER_MODULE = "assistant.musicgen.worker"

# Threads that spin while they wait would starve each other on a busy machine: on two cores
# shared with other work the codec made 5 steps in 25 s with them, and 54 without.
QUIET_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}


def look_ahead(library: Library, spec: FinetuneSpec, on_event: Emit | None = None) -> dict[str, Any]:
    """What a fine-tune would take, as `preflight.Preflight` has it; two steps are tried and forgotten.

    Raises what the run itself would raise.
    """
    request = {"library": os.fsdecode(library.root), "spec": spec.as_dict()}
    with heavy_worker() as worker:
        return worker.call("preflight", request, on_event=on_event)


def export_model(library: Library, model: str, form: str, folder: Path) -> None:
    """Write a model into a new folder, in one of `models.EXPORT_FORMATS`.

    Raises `MusicHelperError` for a model that cannot be had in that format.
    """
    request = {
        "library": os.fsdecode(library.root),
        "model": model,
        "format": form,
        "folder": os.fsdecode(folder.absolute()),
    }
    with heavy_worker() as worker:
        worker.call("export", request)


def heavy_worker() -> Worker:
    """A process for models; its libraries say nothing and ask nobody."""
    return Worker(WORKER_MODULE, environment=QUIET_ENVIRONMENT)
