"""Sound through a page in the listener's own browser."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from assistant.i18n import _
from assistant.playback.address import forward_command, on_own_screen
from assistant.playback.handler import PLAYABLE_SUFFIXES, Report
from assistant.playback.server import Order, serve_page


class BrowserPlayer:
    """A page on this machine's loopback that plays what it is told to. Raises `OSError` with no port."""

    kind = "browser"

    def __init__(self, port: int) -> None:
        self._lock = threading.Lock()
        self._report: Report | None = None
        self._report_time = 0.0
        self._path: Path | None = None
        self._number = 0
        self._problem = ""
        self._server = serve_page(port, self._heard)

    @property
    def link(self) -> str:
        """The page's address, secret in it."""
        return self._server.link

    @property
    def command(self) -> str:
        """The line that brings the page to the listener's computer; empty on their own screen."""
        return "" if on_own_screen() else forward_command(self._server.server_port)

    @property
    def sentence(self) -> str:
        """What to do, or that the page is open."""
        if self._server.listening():
            return _("Sound is played by the page that is open in your browser.")
        if not self.command:
            return _("To listen, open {link} in a browser.").format(link=self.link)
        return _("To listen, run on your own computer: {command} and open there: {link}").format(
            command=self.command, link=self.link
        )

    @property
    def heard(self) -> bool:
        """Whether the page is open somewhere."""
        return self._server.listening()

    @property
    def problem(self) -> str:
        """Why the last file was not heard."""
        return self._problem

    def play(
        self, path: Path, start: float = 0.0, *, gain: float = 0.0, loop: bool = False, title: str = ""
    ) -> None:
        """Put the file on the page and tell the page to play it."""
        path = path.absolute()
        with self._lock:
            self._problem = ""
            self._report = None
            self._path = path
            if not path.is_file():
                self._problem = _("{name} is not there.").format(name=path.name)
            elif path.suffix.lower() not in PLAYABLE_SUFFIXES:
                self._problem = _("A browser cannot play {name}; play the WAV made from it.").format(
                    name=path.name
                )
            if self._problem:
                self._path = None
                self._server.stop()
                return
            self._number = self._server.play(path, Order(max(0.0, start), min(0.0, gain), loop, title))

    def stop(self) -> None:
        """Tell the page to be silent."""
        with self._lock:
            self._path = None
            self._report = None
            self._server.stop()

    def playing(self) -> Path | None:
        """The file that an open page says it is playing."""
        report = self._report
        if report is None or report.state != "playing" or not self._server.listening():
            return None
        return self._path

    def position(self) -> float:
        """What the page last said, and the time since."""
        report = self._report
        if report is None or self._path is None:
            return 0.0
        since = time.monotonic() - self._report_time if report.state == "playing" else 0.0
        return report.position + since

    def close(self) -> None:
        """Take the page away."""
        self.stop()
        self._server.close()

    def _heard(self, report: Report) -> None:
        with self._lock:
            if report.number != self._number or self._path is None:
                return  # of a file before this one
            self._report = report
            self._report_time = time.monotonic()
            self._problem = ""
            if report.state == "blocked":
                self._problem = _("The browser waits for a click on the page before it plays.")
            elif report.state == "failed":
                self._problem = _("The browser cannot play {name}.").format(name=self._path.name)
