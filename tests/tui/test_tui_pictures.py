"""Pictures of a few pages, so that a change of looks is a decision; `--snapshot-update` takes new ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from assistant.config import Settings
from assistant.library.library import Library
from tests.tui.tui_library import settle
from tui.app import MusicHelperApp

SIZES = [(80, 24), (120, 40)]


def on(page: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Go to a page and wait until it is painted."""

    async def go(pilot: Pilot[None]) -> None:
        await settle(pilot)
        pilot.app.action_go(page)  # type: ignore[attr-defined]
        await settle(pilot)
        await settle(pilot)

    return go


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("page", ["home", "label"])
def test_page(snap_compare: Any, music: Library, page: str, size: tuple[int, int]) -> None:
    app = MusicHelperApp(music.root, Settings(), watch=False)
    assert snap_compare(app, terminal_size=size, run_before=on(page))
