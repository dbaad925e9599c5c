"""The player's page: a small web server on the loopback, behind a secret address."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from assistant.playback.handler import PageHandler, Report

LOOPBACK = "127.0.0.1"
_PORTS_TRIED = 20
_TOKEN_BYTES = 16
_FILES_KEPT = 200
_STATES_WAITING = 64


@dataclass(frozen=True)
class Order:
    """How a file shall be played."""

    start: float = 0.0
    gain: float = 0.0
    """Decibels, 0 or less."""
    loop: bool = False
    title: str = ""
    """Shown instead of the file's name."""


class PageServer(ThreadingHTTPServer):
    """Serves the page and the files it was given, and tells open pages what to play."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, on_report: Callable[[Report], None]) -> None:
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.on_report = on_report
        self._lock = threading.Lock()
        self._files: dict[str, tuple[Path, str]] = {}
        self._pages: list[queue.Queue[str | None]] = []
        self._number = 0
        self._now: dict[str, Any] | None = None
        super().__init__((LOOPBACK, port), PageHandler)

    def server_bind(self) -> None:
        """Bind without the name lookup of the base class, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error, and the terminal is not ours to print on."""

    @property
    def link(self) -> str:
        """The page's address."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def listening(self) -> bool:
        """Whether a page is open."""
        return bool(self._pages)

    def play(self, path: Path, order: Order) -> int:
        """Put a file on the page and have it played; the number is in the reports on it."""
        with self._lock:
            shown = (path, order.title)
            key = next((key for key, file in self._files.items() if file == shown), secrets.token_hex(8))
            self._files.pop(key, None)  # the newest is last
            self._files[key] = shown
            if len(self._files) > _FILES_KEPT:
                del self._files[next(iter(self._files))]
            self._number += 1
            self._now = {
                "number": self._number,
                "id": key,
                "start": order.start,
                "gain": order.gain,
                "loop": order.loop,
            }
            self._tell()
            return self._number

    def stop(self) -> None:
        """Have the pages be silent."""
        with self._lock:
            if self._now is not None:
                self._now = None
                self._tell()

    def close(self) -> None:
        """End the pages' streams and the server."""
        with self._lock:
            for page in self._pages:
                with contextlib.suppress(queue.Full):
                    page.put_nowait(None)
            self._pages.clear()
        self.shutdown()
        self.server_close()

    def file(self, key: str) -> Path | None:
        """The file behind an opaque id."""
        found = self._files.get(key)
        return None if found is None else found[0]

    def open_page(self) -> queue.Queue[str | None]:
        """What a new page is to be told, beginning with the present state; None ends it."""
        page: queue.Queue[str | None] = queue.Queue(_STATES_WAITING)
        with self._lock:
            page.put_nowait(self._state())
            self._pages.append(page)
        return page

    def close_page(self, page: queue.Queue[str | None]) -> None:
        """The page went away."""
        with self._lock:
            if page in self._pages:
                self._pages.remove(page)

    def _state(self) -> str:
        items = [
            {
                "id": key,
                "name": title or _shown(path.name),
                "folder": "" if title else _shown(path.parent.name),
            }
            for key, (path, title) in reversed(self._files.items())
        ]
        return json.dumps({"items": items, "now": self._now})

    def _tell(self) -> None:
        state = self._state()
        for page in list(self._pages):
            try:
                page.put_nowait(state)
            except queue.Full:  # nobody reads at the other end
                self._pages.remove(page)


def serve_page(port: int, on_report: Callable[[Report], None]) -> PageServer:
    """Start a server on the port, or on another where it is taken; 0 is any.

    Raises `OSError` where none is free.
    """
    server = _bind(port, on_report)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True, name="player page").start()
    return server


def _bind(port: int, on_report: Callable[[Report], None]) -> PageServer:
    for candidate in range(port, port + _PORTS_TRIED) if port else ():
        with contextlib.suppress(OSError, OverflowError):
            return PageServer(candidate, on_report)
    return PageServer(0, on_report)


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
