"""Sound through this machine's own device, by a child process for each file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from assistant.i18n import _

_END_SECONDS = 2.0


@dataclass
class _Sound:
    path: Path
    start: float
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    began: float | None = None
    duration: float | None = None
    stopped: bool = False
    over: bool = False
    """The child has ended, and why is known."""


class DevicePlayer:
    """Plays through simpleaudio. `device` is a few words on what was found; empty: nothing was."""

    kind = "device"
    heard = True
    link = ""
    command = ""

    def __init__(self, device: str = "") -> None:
        self._device = device
        self._lock = threading.Lock()
        self._sound: _Sound | None = None
        self._problem = ""

    @property
    def sentence(self) -> str:
        """What is played through."""
        if self._device:
            return _("Sound is played through {device}.").format(device=self._device)
        return _("Sound is played through this machine's default device.")

    @property
    def problem(self) -> str:
        """Why the last file was not heard."""
        return self._problem

    def play(self, path: Path, start: float = 0.0) -> None:
        """Start a child that plays the file; the sound begins some tens of milliseconds later."""
        path = path.absolute()
        with self._lock:
            self._end()
            self._problem = ""
            log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the watching thread
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", "assistant.playback.speaker", path, repr(max(0.0, start))],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, "PYTHONMALLOC": "malloc"},
                    start_new_session=True,
                    cwd="/",  # a music folder may hold a file named like a module
                )
            except (OSError, ValueError) as error:
                log.close()
                self._problem = _("The player cannot be started: {detail}.").format(detail=error)
                return
            self._sound = _Sound(path, max(0.0, start), process, log)
            threading.Thread(target=self._watch, args=(self._sound,), daemon=True).start()

    def stop(self) -> None:
        """End the child: silence within about ten milliseconds."""
        with self._lock:
            self._end()

    def playing(self) -> Path | None:
        """The file whose child is alive; once there is none, `problem` is true."""
        sound = self._sound
        return sound.path if sound and not sound.stopped and not sound.over else None

    def position(self) -> float:
        """Counted from the moment the device took the sound."""
        sound = self._sound
        if sound is None or self.playing() is None:
            return 0.0
        if sound.began is None:
            return sound.start
        position = sound.start + time.monotonic() - sound.began
        return position if sound.duration is None else min(position, sound.duration)

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()

    def _end(self) -> None:
        sound, self._sound = self._sound, None
        if sound is not None:
            sound.stopped = True
            sound.process.kill()
            try:
                sound.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                return  # stuck in the kernel's driver; it dies when the driver lets it

    def _watch(self, sound: _Sound) -> None:
        process = sound.process
        assert process.stdout is not None
        message: dict[str, object] = {}
        with process.stdout, sound.log:
            for line in process.stdout:
                try:
                    message = json.loads(line)
                except ValueError:
                    continue  # printed by a library
                if message.get("playing"):
                    sound.began = time.monotonic()
                    sound.duration = float(str(message.get("duration") or 0.0)) or None
            status = process.wait()
        if status != 0 and not sound.stopped:
            problem = _problem(sound.path.name, status, message)
            with self._lock:
                if self._sound is sound:
                    self._problem = problem
        sound.over = True


def _problem(name: str, status: int, message: dict[str, object]) -> str:
    detail = " ".join(str(message.get("detail", "")).split())
    match message.get("error"):
        case "simpleaudio":
            return _("simpleaudio cannot be used: {detail}.").format(detail=detail.rstrip("."))
        case "file":
            return _("{name} cannot be played as it is: {detail}.").format(
                name=name, detail=detail.rstrip(".")
            )
        case "device":
            # "Error opening PCM device. -- CODE: -2 -- MSG: No such file or directory"
            return _("The sound device cannot be opened: {detail}.").format(
                detail=detail.rpartition("MSG: ")[2].rstrip(".")
            )
    if status < 0:
        return _("The player of {name} was ended by signal {number}.").format(name=name, number=-status)
    return _("The player of {name} ended with status {status}.").format(name=name, status=status)
