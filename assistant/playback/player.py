"""One way to play a file, whatever carries the sound to the listener."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Protocol

from assistant.config import PlaybackSettings
from assistant.i18n import _
from assistant.playback.address import login_address, over_ssh
from assistant.playback.sound import pulse_problem, pulse_server, simpleaudio_installed, sound_device


class Player(Protocol):
    """Plays one file at a time. No method raises, prints, or keeps its caller waiting."""

    @property
    def kind(self) -> str:
        """`device`, `pulse`, `browser`, `command` or `none`."""

    @property
    def sentence(self) -> str:
        """How the sound is heard, or what to do to hear it: one line for the person."""

    @property
    def heard(self) -> bool:
        """Whether what is played reaches the listener as things are."""

    @property
    def problem(self) -> str:
        """Why the last file was not heard; empty where nothing went wrong."""

    @property
    def link(self) -> str:
        """The address to open in a browser; empty where there is none."""

    @property
    def command(self) -> str:
        """The command to run on the listener's own computer; empty where none is needed."""

    def play(
        self, path: Path, start: float = 0.0, *, gain: float = 0.0, loop: bool = False, title: str = ""
    ) -> None:
        """Play a file from `start` seconds on, instead of what is playing now.

        `gain` is in decibels, 0 or less; with `loop` it begins again at its end; `title` is shown where
        the file's name would be.
        """

    def stop(self) -> None:
        """Be silent at once."""

    def playing(self) -> Path | None:
        """The file that is being heard, as far as can be known."""

    def position(self) -> float:
        """Seconds from the beginning of the file; 0 where nothing plays."""

    def close(self) -> None:
        """Be silent and release everything."""


class NoPlayer:
    """Says how to fetch a file, because nothing here can make it heard."""

    kind = "none"
    link = ""
    heard = False

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._path: Path | None = None

    @property
    def sentence(self) -> str:
        """Why there is no sound, and how to hear the last file all the same."""
        if self._path is None:
            return self._reason
        return _("{reason} To hear the file on your own computer: {command}").format(
            reason=self._reason, command=self.command
        )

    @property
    def problem(self) -> str:
        """The sentence, once something was to be played."""
        return self.sentence if self._path else ""

    @property
    def command(self) -> str:
        """A line that plays the file on the listener's computer."""
        if self._path is None:
            return ""
        address = login_address()
        port = f"-p {address.port} " if address.port != 22 else ""
        # Quoted twice: once for this shell, once for the one at the other end.
        remote = shlex.quote(f"cat {shlex.quote(os.fspath(self._path))}")
        return f"ssh {port}{address.login} {remote} | ffplay -nodisp -autoexit -"

    def play(
        self, path: Path, start: float = 0.0, *, gain: float = 0.0, loop: bool = False, title: str = ""
    ) -> None:
        """Remember the file for `command`."""
        self._path = path.absolute()

    def stop(self) -> None:
        """Nothing plays."""

    def playing(self) -> Path | None:
        """Nothing plays."""
        return None

    def position(self) -> float:
        """Nothing plays."""
        return 0.0

    def close(self) -> None:
        """Nothing is held."""


def choose_player(settings: PlaybackSettings) -> Player:
    """The player that the settings name, or with `auto` the first that reaches the listener.

    Over SSH a sound card of this machine is heard by nobody: there only a forwarded sound server
    or a configuration of the person's own counts as a device.
    """
    match settings.player:
        case "none":
            return NoPlayer(_("Playing is switched off in the configuration."))
        case "device" if not simpleaudio_installed():
            return NoPlayer(
                _("The configuration asks for the sound device, but simpleaudio is not installed.")
            )
        case "device":
            return _device_player(sound_device())
        case "pulse":
            return _pulse_player() or NoPlayer(pulse_problem())
        case "command":
            return _command_player(settings.command)
        case "auto":
            pulse = _pulse_player() if os.environ.get("PULSE_SERVER") else None
            if pulse is not None:
                return pulse
            device = sound_device(near_listener=over_ssh()) if simpleaudio_installed() else None
            if device is not None:
                return _device_player(device)
    try:
        from assistant.playback.browser import BrowserPlayer

        return BrowserPlayer(settings.port)
    except OSError as error:
        return NoPlayer(
            _("There is no sound device, and no page can be served: {reason}.").format(reason=error.strerror)
        )


def _device_player(device: str | None) -> Player:
    from assistant.playback.device import DevicePlayer

    return DevicePlayer(device or "")


def _pulse_player() -> Player | None:
    from assistant.playback.device import PulsePlayer

    return None if pulse_problem() else PulsePlayer(pulse_server() or "")


def _command_player(command: str) -> Player:
    from assistant.playback.command import CommandPlayer, command_problem

    problem = command_problem(command)
    return NoPlayer(problem) if problem else CommandPlayer(command)
