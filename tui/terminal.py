"""The terminal under the app: what it must be, and how it is left behind."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App

HARD_EXIT_SECONDS = 3.0
POLL_SECONDS = 1.0

# Leave the alternate screen; show the cursor; no mouse reports; no bracketed paste; plain colours.
RESTORE = (
    "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[<u\x1b[0m"
)


def is_usable() -> bool:
    """Whether standard input and output are a terminal that can draw."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


class Guard:
    """Leaves cleanly when the terminal goes away or the process is asked to end.

    Without it Textual dies by the signal and leaves the terminal in its drawing mode; with SIGHUP
    ignored (nohup) it would spin on the closed terminal.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._gone = threading.Event()
        self._ending = False
        self._saved = self._terminal_modes()

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the signals; to be called in the app's loop."""

        def heed(_number: int, _frame: FrameType | None) -> None:
            self._hang_up(loop)

        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, heed)
        threading.Thread(target=self._watch_input, args=(loop,), name="hang-up", daemon=True).start()

    def leave(self) -> None:
        """End the app; if it cannot within three seconds, the process ends all the same."""
        if not self._gone.is_set():
            self._gone.set()
            self._end_at_last(1)
            self._app.exit()

    def left(self) -> None:
        """The app has ended: a thread that still works on something does not hold up the process."""
        self._end_at_last(0)

    def _hang_up(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop may be waiting for a terminal that takes nothing any more.
        self._end_at_last(1)
        loop.call_soon_threadsafe(self.leave)

    def _end_at_last(self, status: int) -> None:
        if self._ending:
            return
        self._ending = True

        def end() -> None:
            try:
                self.restore()
            finally:
                os._exit(status)

        timer = threading.Timer(HARD_EXIT_SECONDS, end)
        timer.daemon = True
        timer.start()

    def restore(self) -> None:
        """Put the terminal back as it was, as far as it is still there."""
        import termios

        try:
            if self._gone.is_set() and sys.__stdout__ is not None and os.isatty(1):
                write_now(1, RESTORE.encode())
            if self._saved is not None:
                termios.tcsetattr(0, termios.TCSANOW, self._saved)
        except (OSError, ValueError, termios.error):
            return  # the terminal is gone, and its modes with it

    @staticmethod
    def _terminal_modes() -> list[Any] | None:
        import termios

        try:
            return termios.tcgetattr(0)
        except (termios.error, OSError):
            return None

    def _watch_input(self, loop: asyncio.AbstractEventLoop) -> None:
        poll = select.poll()
        poll.register(0, 0)  # hang-ups and errors are reported without being asked for
        parent = os.getppid()
        while not self._gone.wait(POLL_SECONDS):
            found = poll.poll(0)
            if (found and found[0][1] & (select.POLLHUP | select.POLLNVAL)) or os.getppid() != parent:
                self._hang_up(loop)
                return


def write_now(descriptor: int, data: bytes) -> None:
    """Write what a terminal takes at once, without waiting for one that is stalled. Raises `OSError`."""
    os.set_blocking(descriptor, False)
    try:
        os.write(descriptor, data)
    except BlockingIOError:
        return
    finally:
        os.set_blocking(descriptor, True)  # others share it


def go_on_only_after_stop(redraw: Callable[[], object]) -> None:
    """Keep Textual from taking the terminal again when the process is continued though it has it still.

    It would have two threads that read the keys. To be called after Textual has set its signals; `redraw`
    is called when the process was stopped by others, who may have used the screen.
    """
    stop, go_on = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    if not callable(stop) or not callable(go_on):
        return
    let_go = False

    def stopping(number: int, frame: FrameType | None) -> None:
        nonlocal let_go
        let_go = True
        stop(number, frame)

    def going_on(number: int, frame: FrameType | None) -> None:
        nonlocal let_go
        if let_go:
            let_go = False
            go_on(number, frame)
        else:
            redraw()

    signal.signal(signal.SIGTSTP, stopping)
    signal.signal(signal.SIGCONT, going_on)
