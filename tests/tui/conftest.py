"""The library and the app on it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from assistant.config import Settings
from assistant.library.library import Library, create_library
from tests.tui.ssh_host import Host, sshd
from tests.tui.tui_library import Opened, add_track, propose, settle, until
from tui.app import MusicHelperApp

DAYS = 3


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Two genres, five tracks without one (three proposed), one failure."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    library = create_library(home / "Music")
    for genre in ("blues", "jazz"):
        for number in (1, 2, 3):
            add_track(library, f"{genre}/{genre} {number}.wav")
    tracks = [add_track(library, f"unknow/song {letter}.wav") for letter in "abcde"]
    propose(library, tracks[0], ("jazz", 0.55), ("blues", 0.40), ("rock", 0.05))
    propose(library, tracks[1], ("blues", 0.80), ("jazz", 0.15), ("rock", 0.05))
    propose(library, tracks[2], ("rock", 0.97), ("blues", 0.02), ("jazz", 0.01))
    add_track(
        library,
        "rock/bad [red]name[/].mp3",
        state="failed",
        reason="The file cannot be read as audio.",
        hint="Play it, and copy it again.",
    )
    # Long enough ago that its words do not change while a test runs.
    library.ledger._database.execute("UPDATE tracks SET changed = ?", (time.time() - DAYS * 86400,))
    library.close()
    return library


@pytest.fixture
def host(music: Library, tmp_path: Path) -> Iterator[Host]:
    """A machine to log in to, with the app on that library."""
    with sshd(music.root, tmp_path) as here:
        yield here


@pytest.fixture
def opened(music: Library) -> Opened:
    """Open the app on the library, as a context manager that gives the pilot."""

    @asynccontextmanager
    async def open_app(
        *, size: tuple[int, int] = (80, 24), mode: str | None = None, settings: Settings | None = None
    ) -> AsyncIterator[Pilot[None]]:
        app = MusicHelperApp(music.root, settings or Settings(), watch=False)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.snapshot is not None)
            if mode is not None:
                app.action_go(mode)
                await settle(pilot)
            yield pilot

    return open_app
