"""Parts that the tests of MusicGen share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.library.library import Library, create_library
from tests.musicgen.tiny_models import add_tracks, write_tiny_model


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny models are fastest with one thread, here and in the processes that tests start."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def music(library: Library) -> Iterator[Library]:
    """A library with six ready tracks."""
    add_tracks(library)
    with library:
        yield library


@pytest.fixture(scope="module")
def music_and_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library with six ready tracks and the tiny model; for tests that leave both as they are."""
    root: Path = tmp_path_factory.mktemp("music") / "library"
    with create_library(root) as made:
        add_tracks(made)
        write_tiny_model(made)
        yield made
