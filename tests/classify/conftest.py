"""A library whose head is trained once for all tests that look at it."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.classify.training import train_classifier
from assistant.library.library import create_library
from tests.classify.labelled_sounds import TrainedHead, add, settings, sound


@pytest.fixture(scope="session")
def trained_head(tmp_path_factory: pytest.TempPathFactory) -> TrainedHead:
    """Six tracks of three genres, the report of `musicnn` on them, and the events of its training."""
    library = create_library(tmp_path_factory.mktemp("music"), settings(folds=3))
    for genre in ("jazz", "pop", "rock"):
        for number in range(6):
            add(library, f"{genre}/{number}.wav", sound(genre, number))
    events: list[dict[str, Any]] = []
    return library, train_classifier(library, events.append), events
