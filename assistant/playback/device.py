"""Sound through this machine's own device, or through a PulseAudio server wherever it is."""

from __future__ import annotations

import os
import sys

from assistant.i18n import _
from assistant.playback.child import ChildPlayer, Take


class DevicePlayer(ChildPlayer):
    """Plays through simpleaudio. `device` is a few words on what was found; empty: nothing was."""

    kind = "device"
    _sink = "simpleaudio"

    def __init__(self, device: str = "") -> None:
        super().__init__()
        self._device = device

    @property
    def sentence(self) -> str:
        """What is played through."""
        if self._device:
            return _("Sound is played through {device}.").format(device=self._device)
        return _("Sound is played through this machine's default device.")

    def arguments(self, take: Take) -> list[str]:
        """The speaker, in a process of its own."""
        return [
            sys.executable,
            "-m",
            "assistant.playback.speaker",
            os.fspath(take.path),
            repr(take.start),
            f"--gain={take.gain!r}",
            f"--sink={self._sink}",
            *(["--loop"] if take.loop else []),
        ]


class PulsePlayer(DevicePlayer):
    """Plays through `pacat`, PulseAudio's own client, to the server that `PULSE_SERVER` names."""

    kind = "pulse"
    _sink = "pacat"
