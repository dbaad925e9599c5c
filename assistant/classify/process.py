"""How the parent speaks with the classifier's worker process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assistant.config import ClassifierSettings
from assistant.workers import Limits, Worker

ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "-1",  # the GPU belongs to MusicGen
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OPENBLAS_NUM_THREADS": "1",  # the pool's threads are enough
    # What a track leaves is kept for the next one; given back and taken anew it costs a tenth of the time.
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_MMAP_THRESHOLD_": "67108864",
}


def start_worker() -> Worker:
    """The process for features, training and prediction; it starts at its first call."""
    return Worker("assistant.classify.worker", limits=Limits(gives_way=True), environment=ENVIRONMENT)


def source(path: Path, content: str | None) -> dict[str, Any]:
    """A file as the worker wants it named."""
    return {"path": str(path), "content": content}


def base_request(settings: ClassifierSettings, cache: Path) -> dict[str, Any]:
    """What each request holds."""
    return {
        "segment_seconds": settings.segment_seconds,
        "most_segments": settings.most_segments,
        "threads": settings.threads,
        "cache": str(cache),
    }
