"""The library and the app on it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from assistant.config import Settings
from assistant.library.library import Library, create_library
from assistant.runs import launch
from assistant.runs.record import list_runs
from tests.tui.pressed import WRITE, read_pressed, record, write_pressed
from tests.tui.ssh_host import Host, sshd
from tests.tui.tui_library import Opened, add_clip, add_track, propose, settle, until
from tui.app import MusicHelperApp

DAYS = 3
WORKER = Path(__file__).with_name("worker_with_fake_training.py")


@pytest.fixture(scope="session")
def found_pressed() -> Iterator[dict[str, set[str]]]:
    """The tests that did an action by its key; written down at the end where that is wanted."""
    found: dict[str, set[str]] = {}
    yield found
    if WRITE:
        write_pressed(found)


@pytest.fixture(autouse=True)
def pressed(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, found_pressed: dict[str, set[str]]
) -> Iterator[None]:
    """Hold a test to the actions that it is said to do by their keys."""
    done, name = record(monkeypatch), request.node.originalname
    yield
    for action in done:
        found_pressed.setdefault(action, set()).add(name)
    if not WRITE:
        assert {action for action, test in read_pressed().items() if test == name} <= done


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


@pytest.fixture
def runs(music: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """Runs whose training is a countdown, in processes of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(launch, "WORKER_COMMAND", (sys.executable, str(WORKER)))
    yield music
    for run in list_runs(music):
        if run.live and run.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(run.pid, signal.SIGKILL)


@pytest.fixture
def clips(music: Library) -> Iterator[Library]:
    """The library with three clips."""
    for number in (1, 2, 3):
        add_clip(music, f"{number}.wav", prompt=f"prompt {number}", seed=number)
    yield music
    music.close()
