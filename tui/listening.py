"""Hearing tracks and clips: the player is chosen when it is first needed, and never breaks a screen."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from assistant.config import PlaybackSettings
from tui.messages import Failed, PlayerReady

if TYPE_CHECKING:
    from textual.app import App

    from assistant.playback.player import Player


class Listening:
    """The one player of the app."""

    def __init__(self, app: App[Any], settings: PlaybackSettings) -> None:
        self._app = app
        self._settings = settings
        self._player: Player | None = None
        self._lock = threading.Lock()
        self._problem = ""

    def change(self, kind: str) -> None:
        """Use another kind of player from now on; answers the app with `PlayerReady`."""
        self._settings = msgspec.structs.replace(self._settings, player=kind)
        self._start(self._choose_anew)

    def toggle(self, path: Path, start: float = 0.0, *, loop: bool = False) -> None:
        """Play a file, or stop it where it is playing.

        Where the person must do something to hear it, the app is told what with `PlayerReady`.
        """
        self._start(partial(self._toggle, path, start, loop))

    def play(
        self, path: Path, start: float = 0.0, *, gain: float = 0.0, loop: bool = False, title: str = ""
    ) -> None:
        """Play a file from a place on, in place of what is playing; see `Player.play`."""
        self._start(partial(self._play, path, start, gain, loop, title))

    @property
    def kind(self) -> str:
        """The kind of player in use; empty while none was needed yet."""
        return self._player.kind if self._player is not None else ""

    @property
    def settings(self) -> PlaybackSettings:
        """The settings in force."""
        return self._settings

    def explain(self) -> None:
        """Choose the player, if none is there yet, and answer the app with `PlayerReady`."""
        self._start(self._explain)

    def stop(self) -> None:
        """Be silent."""
        if self._player is not None:
            self._start(self._stop)

    def playing(self) -> Path | None:
        """What is playing."""
        return self._player.playing() if self._player is not None else None

    def position(self) -> float:
        """Seconds into what is playing."""
        return self._player.position() if self._player is not None else 0.0

    def new_problem(self) -> str:
        """Why the last file was not heard, told once; empty where all is well."""
        problem = self._player.problem if self._player is not None and self._player.kind != "none" else ""
        new = problem if problem != self._problem else ""
        self._problem = problem
        return new

    def close(self) -> None:
        """End the player."""
        if self._player is not None:
            self._player.close()
            self._player = None

    def _start(self, job: Any) -> None:
        self._app.run_worker(
            partial(self._work, job), name="play", group="play", thread=True, exit_on_error=False
        )

    def _work(self, job: Any) -> None:
        from tui.bridge import explain

        try:
            with self._lock:
                job()
        except Exception as error:
            failure: Failed = explain(error, "play")
            self._app.post_message(failure)

    def _choose(self) -> None:
        from assistant.playback.player import choose_player

        if self._player is None:
            self._player = choose_player(self._settings)

    def _tell(self) -> None:
        player = self._player
        assert player is not None
        self._app.post_message(
            PlayerReady(player.kind, player.sentence, player.command, player.link, player.heard)
        )

    def _explain(self) -> None:
        self._choose()
        self._tell()

    def _choose_anew(self) -> None:
        self.close()
        self._choose()
        self._tell()

    def _toggle(self, path: Path, start: float, loop: bool) -> None:
        self._choose()
        assert self._player is not None
        if self._player.playing() == path:
            self._player.stop()
        else:
            self._play(path, start, loop=loop)

    def _play(self, path: Path, start: float, gain: float = 0.0, loop: bool = False, title: str = "") -> None:
        self._choose()
        assert self._player is not None
        self._player.play(path, start, gain=gain, loop=loop, title=title)
        if not self._player.heard:
            self._tell()

    def _stop(self) -> None:
        if self._player is not None:
            self._player.stop()
