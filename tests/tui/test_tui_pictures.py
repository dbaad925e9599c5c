"""What every screen looks like in two sizes and two languages, so that a change of looks is a decision.

`--snapshot-update` takes new pictures; `python -m tests.tui.pictures --views FOLDER` makes some to look at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from assistant.i18n import set_language
from tests.tui.tui_library import settle, until
from tests.tui.views import LANGUAGES, SETTINGS, SIZES, hold_still, make_library, picture, walk
from tui.app import MusicHelperApp


class Pictures(SingleFileSnapshotExtension):
    """A text file for each."""

    _file_extension = "txt"
    _write_mode = WriteMode.TEXT

    def serialize(self, data: Any, **_options: Any) -> str:
        return str(data)


@pytest.fixture
def still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = tmp_path / "home"
    home.mkdir()
    with monkeypatch.context() as patch:
        hold_still(patch, home)
        yield home
    time.tzset()
    set_language("en")


@pytest.fixture
def pictures(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Pictures)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_screen(still: Path, pictures: SnapshotAssertion, language: str) -> None:
    set_language(language)
    library = make_library(still / "Music")
    app = MusicHelperApp(library.root, SETTINGS, watch=False)
    changed = []
    async with app.run_test(size=SIZES[0]) as pilot:
        await until(pilot, lambda: app.snapshot is not None)
        for width, height in SIZES:
            async for name in walk(pilot, (width, height)):
                shown = f"{name}-{width}x{height}-{language}"
                if picture(pilot) != pictures(name=shown):
                    changed.append(shown)
    assert not changed


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_first_start(still: Path, pictures: SnapshotAssertion, language: str) -> None:
    set_language(language)
    app = MusicHelperApp(still / "Music", SETTINGS, watch=False)
    async with app.run_test(size=SIZES[0]) as pilot:
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await until(pilot, lambda: len(app.screen.query_one("#welcome-choices").rows) > 3)  # type: ignore[attr-defined]
            await settle(pilot)
            assert picture(pilot) == pictures(name=f"welcome-{width}x{height}-{language}")
