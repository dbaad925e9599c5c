"""Players that start a process for each file and listen to what it says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from assistant.i18n import _

_END_SECONDS = 2.0


@dataclass(frozen=True)
class Take:
    """What is to be heard, and how."""

    path: Path
    start: float = 0.0
    gain: float = 0.0
    """Decibels; never above 0, so that nothing clips."""
    loop: bool = False


@dataclass
class _Sound:
    take: Take
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    began: float | None = None
    duration: float | None = None
    stopped: bool = False
    over: bool = False
    """The child has ended, and why is known."""


class ChildPlayer(ABC):
    """A process of its own plays each file; what it is, a subclass says."""

    kind = ""
    heard = True
    link = ""
    command = ""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sound: _Sound | None = None
        self._problem = ""

    @abstractmethod
    def arguments(self, take: Take) -> list[str]:
        """The program to start, which says one JSON line when the sound begins (see `speaker`)."""

    def feed(self, take: Take) -> Path | None:
        """The file for the program's standard input."""
        return None

    says_when_it_begins = True
    """Whether the program says that line; the sound of one that does not is taken to begin at once."""

    @property
    def problem(self) -> str:
        """Why the last file was not heard."""
        return self._problem

    def play(
        self, path: Path, start: float = 0.0, *, gain: float = 0.0, loop: bool = False, title: str = ""
    ) -> None:
        """Start a child that plays the file; the sound begins some tens of milliseconds later."""
        take = Take(path.absolute(), max(0.0, start), min(0.0, gain), loop)
        with self._lock:
            self._end()
            self._problem = ""
            log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the watching thread
            try:
                fed = self.feed(take)
                given = fed.open("rb") if fed else contextlib.nullcontext(subprocess.DEVNULL)
                with given as standard_input:
                    process = subprocess.Popen(
                        self.arguments(take),
                        stdin=standard_input,
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
            self._sound = _Sound(take, process, log)
            if not self.says_when_it_begins:
                self._sound.began = time.monotonic()
            threading.Thread(target=self._watch, args=(self._sound,), daemon=True).start()

    def stop(self) -> None:
        """End the child: silence within about ten milliseconds."""
        with self._lock:
            self._end()

    def playing(self) -> Path | None:
        """The file whose child is alive; once there is none, `problem` is true."""
        sound = self._sound
        return sound.take.path if sound and not sound.stopped and not sound.over else None

    def position(self) -> float:
        """Counted from the moment the device took the sound."""
        sound = self._sound
        if sound is None or self.playing() is None:
            return 0.0
        if sound.began is None:
            return sound.take.start
        position = sound.take.start + time.monotonic() - sound.began
        if sound.duration is None:
            return position
        return position % sound.duration if sound.take.loop else min(position, sound.duration)

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()

    def _end(self) -> None:
        sound, self._sound = self._sound, None
        if sound is not None:
            sound.stopped = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(sound.process.pid, signal.SIGKILL)  # with what it has started
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
            problem = self._explain(sound, status, message)
            with self._lock:
                if self._sound is sound:
                    self._problem = problem
        sound.over = True

    def _explain(self, sound: _Sound, status: int, message: dict[str, object]) -> str:
        return problem_of(sound.take.path.name, status, message)


def problem_of(name: str, status: int, message: dict[str, object]) -> str:
    """Why a child ended before its time, in one sentence."""
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
