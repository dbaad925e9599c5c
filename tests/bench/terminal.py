"""A program in a pseudo-terminal, and how long it takes to answer: what benchmarks of screens share."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

UNKNOWN = re.compile(
    rb"\x1b(?:\[(?:[<>=][0-9;]*[a-z]|\?[0-9;]*(?:\$p|u))|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\)"
)
"""Questions and extensions that pyte would show as text."""
ANY = re.compile(rb"\x1b(?:\[[^a-zA-Z@`~]*[a-zA-Z@`~]|.)")
CUT_OFF = re.compile(rb"\x1b(?:\[[^a-zA-Z@`~]*|[\]P][^\x07\x1b]*\x1b?)?$")
"""A sequence whose end has not come yet."""
ANSWER_SECONDS = 5.0
QUIET_SECONDS = 0.04


class Terminal:
    """A program that believes to have a screen."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        columns: int = 120,
        lines: int = 40,
    ) -> None:
        self.started = time.monotonic()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as for a person who starts it again
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})})
            os.execvp(command[0], list(command))
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.bytes = 0
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._unseen = b""

    def read(self, seconds: float) -> bytes:
        """What comes within a time, as soon as anything does."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:
            return b""
        self.bytes += len(data)
        self._unseen += data
        return data

    @property
    def text(self) -> str:
        """What stands on the screen."""
        data = UNKNOWN.sub(b"", self._unseen)
        cut_off = CUT_OFF.search(data)
        end = cut_off.start() if cut_off else len(data)
        self._unseen = data[end:]
        self._stream.feed(data[:end])
        return "\n".join(self._screen.display)

    def wait_for(self, words: str, seconds: float = 60.0) -> float:
        """Wait at most so long until these words stand there; seconds since the start of the program.

        Raises `TimeoutError`.
        """
        moment = time.monotonic()
        end = moment + seconds
        while words.encode() not in ANY.sub(b"", self._unseen) and words not in self.text:
            if time.monotonic() > end:
                raise TimeoutError(f"{words} is not there:\n{self.text}")
            while self.read(0.005):
                moment = time.monotonic()
        return moment - self.started

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.descriptor, keys)

    def listen(self, seconds: float) -> int:
        """Bytes written within a time."""
        before, end = self.bytes, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)
        return self.bytes - before

    def settle(self, quiet: float = QUIET_SECONDS, most: float = 3.0) -> None:
        """Wait until nothing is written for a moment."""
        end = time.monotonic() + most
        while time.monotonic() < end and self.read(quiet):
            pass

    def answer(self, key: bytes, words: str | None = None) -> float:
        """Seconds from a key until something is written, or until these words stand there."""
        began = time.monotonic()
        self.send(key)
        if words is not None:
            return self.wait_for(words, ANSWER_SECONDS) + self.started - began
        self.read(ANSWER_SECONDS)
        return time.monotonic() - began

    def memory(self) -> int:
        """Bytes of memory of the process and its children, shared pages counted in parts."""
        return sum(_memory(pid) for pid in _family(self.pid))

    def close(self) -> None:
        """End it."""
        family = _family(self.pid)
        for pid in (self.pid, *family):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


@dataclass(frozen=True)
class Process:
    """A process as it is now."""

    command: bytes
    """Its arguments, with zero bytes between them."""
    seconds: float
    """CPU time that it has used."""


def processes(pid: int) -> list[Process]:
    """A process and all that it started, as far as they are still there."""
    found = []
    for one in _family(pid):
        place = Path(f"/proc/{one}")
        try:
            fields = place.joinpath("stat").read_text("ascii", "replace").rpartition(")")[2].split()
            seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            found.append(Process(place.joinpath("cmdline").read_bytes(), seconds))
        except OSError:
            continue
    return found


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text("ascii").split()]
        except OSError:
            continue
        for child in children:
            found += _family(child)
    return found


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
