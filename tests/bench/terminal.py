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
from pathlib import Path

ESCAPES = re.compile(rb"\x1b(?:\[[0-9;:?<>=!]*[a-zA-Z@`~$]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|.)")
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
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})})
            os.execvp(command[0], list(command))
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.text = b""
        self.bytes = 0

    def read(self, seconds: float) -> bytes:
        """What comes within a time, as soon as anything does."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:
            return b""
        self.bytes += len(data)
        self.text += ESCAPES.sub(b"", data)
        return data

    def wait_for(self, words: str, seconds: float = 60.0) -> float:
        """Seconds since the start until these words were written. Raises `TimeoutError`."""
        while words.encode() not in self.text:
            if time.monotonic() - self.started > seconds:
                raise TimeoutError(words)
            self.read(0.01)
        return time.monotonic() - self.started

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

    def answer(self, key: bytes) -> float:
        """Seconds from a key until something is written."""
        began = time.monotonic()
        self.send(key)
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
