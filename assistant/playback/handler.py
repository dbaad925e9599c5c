"""Answers to the player's page: who may ask, and what they get."""

from __future__ import annotations

import functools
import html
import json
import math
import os
import queue
import re
import secrets
import select
import stat
import string
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assistant.i18n import language
from assistant.playback.words import page_words

if TYPE_CHECKING:
    from assistant.playback.server import PageServer

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_CHUNK_BYTES = 256 * 1024
_REPORT_BYTES = 4096
_WAVEFORM_WIDTH = 600
_LOOK_SECONDS = 0.5
"""How often a stream looks whether its page went away."""
_SILENCE_SECONDS = 15.0
"""After this long without news a stream says that it is alive, so that no tunnel closes it."""

_TYPES = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
}
PLAYABLE_SUFFIXES = tuple(_TYPES)
"""What browsers play; anything else has a WAV beside it that intake made."""

_PARTS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


REPORTED_STATES = ("playing", "paused", "ended", "blocked", "failed")


@dataclass(frozen=True)
class Report:
    """What a page says of the file it was told to play."""

    number: int
    state: str
    """One of `REPORTED_STATES`."""
    position: float


class PageHandler(BaseHTTPRequestHandler):
    """One connection of a browser."""

    protocol_version = "HTTP/1.1"
    server_version = "musichelper"
    sys_version = ""
    timeout = 60
    server: PageServer

    def do_GET(self) -> None:
        """The page, its parts, its stream, and the files."""
        match self._admitted():
            case None:
                return
            case [""]:
                self._send(page(language()), "text/html; charset=utf-8")
            case [name] if name in _PARTS:
                self._send(Path(__file__).with_name(name).read_bytes(), _PARTS[name])
            case ["events"] if self.command == "GET":
                self._stream()
            case ["file", key] if path := self.server.file(key):
                self._send_file(path)
            case ["waveform", key] if path := self.server.file(key):
                self._send_waveform(path)
            case _:
                self._refuse(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """What a page reports."""
        parts = self._admitted()
        if parts is None:
            return
        length = self.headers.get("Content-Length", "")
        if parts != ["report"] or not length.isdigit() or int(length) > _REPORT_BYTES:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            values = json.loads(self.rfile.read(int(length)))
            report = Report(int(values["number"]), str(values["state"]), float(values["position"]))
            if report.state not in REPORTED_STATES or not 0 <= report.position < math.inf:
                raise ValueError
        except (ValueError, KeyError, TypeError, OverflowError):
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        self.server.on_report(report)
        self._send(b"{}", "application/json")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing is printed."""

    def end_headers(self) -> None:
        """Add what every answer carries."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _admitted(self) -> list[str] | None:
        """The path after the token; None after a refusal."""
        # A request under another name comes from a page elsewhere that had its name rebound to us.
        origin = self.headers.get("Origin")
        own = _is_loopback(self.headers.get("Host", "")) and (
            origin is None or _is_loopback(urlsplit(origin).netloc)
        )
        token, slash, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        known = secrets.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode())
        if own and known and slash:
            return rest.split("/")
        self._refuse(HTTPStatus.FORBIDDEN)
        return None

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self._send(status.phrase.encode(), "text/plain; charset=utf-8", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self) -> None:
        """Server-sent events until the page or the program goes away."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        states = self.server.open_page()
        spoken = time.monotonic()
        try:
            while True:
                try:
                    state = states.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    if select.select([self.connection], [], [], 0)[0]:
                        return  # a page says nothing here: only its end can be read
                    if time.monotonic() - spoken < _SILENCE_SECONDS:
                        continue
                    line = ": still here\n\n"
                else:
                    if state is None:
                        return
                    line = f"data: {state}\n\n"
                self.wfile.write(line.encode())
                spoken = time.monotonic()
        except OSError:
            return
        finally:
            self.server.close_page(states)

    def _send_file(self, path: Path) -> None:
        try:
            # Non-blocking, so that a pipe that took the file's name holds nobody up.
            file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        except OSError:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        with file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                self._refuse(HTTPStatus.NOT_FOUND)
                return
            tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
            same = self.headers.get("If-Range", tag) == tag
            part = byte_range(self.headers.get("Range") if same else None, about.st_size)
            if part is not None and not part:
                self._refuse_range(about.st_size)
                return
            sent = range(about.st_size) if part is None else part
            self.send_response(HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Type", _TYPES.get(path.suffix.lower(), "application/octet-stream"))
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", tag)
            if part is not None:
                self.send_header("Content-Range", f"bytes {part[0]}-{part[-1]}/{about.st_size}")
            self.end_headers()
            if self.command != "HEAD" and sent:
                file.seek(sent[0])
                self._copy(file, len(sent))

    def _refuse_range(self, size: int) -> None:
        self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        self.send_header("Content-Range", f"bytes */{size}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _copy(self, file: IO[bytes], count: int) -> None:
        while count > 0:
            data = file.read(min(_CHUNK_BYTES, count))
            if not data:  # the file became shorter: the promised length cannot be kept
                self.close_connection = True
                return
            self.wfile.write(data)
            count -= len(data)

    def _send_waveform(self, path: Path) -> None:
        try:
            about = path.stat()
            body = _waveform(path, about.st_size, about.st_mtime_ns)
        except Exception:  # an ornament: without it the page is whole
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self._send(body, "application/json")


def byte_range(header: str | None, size: int) -> range | None:
    """The bytes that a `Range` header asks for (RFC 9110, 14.2).

    None: the whole file, because the header is absent, of another unit, malformed, or asks for
    several parts. An empty range: nothing that the file has.
    """
    match = re.fullmatch(r"\s*bytes=\s*(\d*)\s*-\s*(\d*)\s*", header or "", re.ASCII)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)


@functools.cache
def page(code: str) -> bytes:
    """The page in the language in use; `code` is that language's, for the cache and the page itself."""
    words = page_words()
    template = string.Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    values = {name: html.escape(text) for name, text in words.items()}
    return template.substitute(
        values, language=code.replace("_", "-"), words=html.escape(json.dumps(words))
    ).encode()


@functools.lru_cache(maxsize=64)
def _waveform(path: Path, _size: int, _changed: int) -> bytes:
    from assistant.audio.peaks import peaks

    columns = peaks(path, _WAVEFORM_WIDTH)
    return json.dumps([[round(low, 3), round(high, 3)] for low, high in columns]).encode()


def _is_loopback(address: str) -> bool:
    """Any port: the listener's end of a forwarded one may have another number."""
    return re.sub(r":\d+$", "", address).lower() in _LOOPBACK_NAMES
