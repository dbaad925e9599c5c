"""What all tests share: quiet surroundings and sounds of their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.config import CONFIG_VARIABLE
from assistant.i18n import LANGUAGE_VARIABLE, set_language
from assistant.library.library import LIBRARY_VARIABLE, Library, create_library
from assistant.serving import start

# Else each of the many processes of these tests would compile TensorFlow and torch anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests run only when they are asked for; the report says so."""
    if config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow; run it with -m slow"))


@pytest.fixture(autouse=True, scope="session")
def own_devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Locks of devices that no run outside these tests holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True, scope="session")
def own_engine() -> Iterator[None]:
    """An engine of these tests alone, which leaves with them. The name of its socket must be short."""
    with tempfile.TemporaryDirectory(prefix="mh-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield
        start.stop()


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No configuration of the person at the keyboard, and English."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    for name in (CONFIG_VARIABLE, LIBRARY_VARIABLE, "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(LANGUAGE_VARIABLE, "en")
    set_language("en")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """A new, empty library."""
    return create_library(tmp_path / "library")


@pytest.fixture
def shared_data() -> Path:
    """Real music beside the checkout; the test is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the folder of real music ../shared/data, which is not here")
    return SHARED_DATA
