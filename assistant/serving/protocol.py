"""What engine and client say to each other: JSON objects, each a line, over a Unix socket.

The engine greets with its `stamp`, `pid` and `log`. The client then says one thing:

    {"op": "generate", "request": {}, "device": "cuda:0", "environment": {}, "language": "en",
     "idle_seconds": 900.0}           and, while it waits, perhaps {"op": "cancel"}
    {"op": "status"}                  answered with {"status": {…}}
    {"op": "stop"}                    leave now; what is being made is stopped
    {"op": "retire"}                  leave as soon as nothing waits; take nothing new

To `generate` the engine answers with any number of {"event": {…}} and one of these:

    {"answer": {…}}                   done
    {"cancelled": true}
    {"error": {"title", "hint", "kind"}}          an error with words for the person
    {"failure": "TypeError: …"}                   one without
    {"died": {"signal": 9, "status": null}}       the process that computes has ended
    {"held": {"run": "…", "library": "…"}}        a run has the device, or waits for it
    {"leaving": true}                             it takes nothing more: ask a new engine

A client that goes away cancels what it asked for.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from typing import Any

Message = dict[str, Any]

LINE_LIMIT = 1 << 20
"""Bytes of the longest line."""

ENVIRONMENT_NAMES = ("HOME", "PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "XDG_CACHE_HOME")
ENVIRONMENT_PREFIXES = ("CUDA_", "HF_", "HUGGINGFACE_", "OMP_", "NVIDIA_", "TORCH", "http", "HTTP")


def environment() -> dict[str, str]:
    """What of this process's environment changes how a model is found and computed."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in ENVIRONMENT_NAMES or name.startswith(ENVIRONMENT_PREFIXES)
    }


def as_line(message: Message) -> bytes:
    """A message as it goes over the socket."""
    return json.dumps(message).encode() + b"\n"


class Link:
    """The client's end of a connection."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._buffer = b""

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.close()

    def send(self, message: Message) -> None:
        """Send a message. Raises `ConnectionError` where nobody listens any more."""
        self._end.sendall(as_line(message))

    def receive(self, timeout: float | None = None) -> Message:
        """The next message. Raises `ConnectionError` where none comes any more, `TimeoutError`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._buffer:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._end], [], [], wait)[0]:
                raise TimeoutError
            received = self._end.recv(1 << 16)
            if not received:
                raise ConnectionResetError
            self._buffer += received
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: Message = json.loads(line)
        return message
