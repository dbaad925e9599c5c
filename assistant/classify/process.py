"""How the parent speaks with the classifier's worker process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assistant.classify.store import features_folder
from assistant.library.library import Library
from assistant.workers import Worker

ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "-1",  # the GPU belongs to MusicGen
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OPENBLAS_NUM_THREADS": "1",  # the pool's threads are enough
}


def start_worker() -> Worker:
    """The process for features, training and prediction; it starts at its first call."""
    return Worker("assistant.classify.worker", environment=ENVIRONMENT)


def source(path: Path, content: str | None) -> dict[str, Any]:
    """A file as the worker wants it named."""
    return {"path": str(path), "content": content}


def features_request(library: Library, sources: list[dict[str, Any]]) -> dict[str, Any]:
    """What each request for features holds."""
    settings = library.settings.classifier
    return {
        "sources": sources,
        "segment_seconds": settings.segment_seconds,
        "threads": settings.threads,
        "cache": str(features_folder(library)),
    }
