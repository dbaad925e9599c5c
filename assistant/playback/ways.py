"""Which ways the sound has to the listener, each with a sentence: what works, and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.config import PlaybackSettings
from assistant.i18n import _
from assistant.playback.address import forward_command, on_own_screen, over_ssh
from assistant.playback.command import command_problem
from assistant.playback.sound import pulse_problem, pulse_server, simpleaudio_installed, sound_device


@dataclass(frozen=True)
class Way:
    """One kind of player."""

    kind: str
    works: bool
    sentence: str


def ways(settings: PlaybackSettings) -> list[Way]:
    """All kinds of player, looked at in a moment without opening a device."""
    pulse, device = pulse_problem(), _device_problem()
    command = command_problem(settings.command)
    if on_own_screen():
        page = _("A page in a browser on this screen.")
    else:
        page = _("A page in your own browser; for it, run on your computer: {command}").format(
            command=forward_command(settings.port)
        )
    return [
        Way("pulse", not pulse, pulse or _("Through {device}.").format(device=pulse_server())),
        Way("device", not device, device or _("Through {device}.").format(device=sound_device())),
        Way("browser", True, page),
        Way("command", not command, command or _("By {command}.").format(command=settings.command)),
        Way("none", True, _("No sound; a line to fetch the file with is shown instead.")),
    ]


def _device_problem() -> str:
    if not simpleaudio_installed():
        return _("simpleaudio is not installed; it is in the extra `audio`.")
    if sound_device() is None:
        return _("There is no sound device on this machine.")
    if over_ssh() and sound_device(near_listener=True) is None:
        return _("There is {device}, but over SSH you would not hear it.").format(device=sound_device())
    return ""
