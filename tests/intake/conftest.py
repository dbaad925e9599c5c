"""A library for one worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.config import IntakeSettings, Settings
from assistant.library.library import Library, create_library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """A new library whose intake uses one process."""
    return create_library(tmp_path / "library", Settings(intake=IntakeSettings(workers=1)))
