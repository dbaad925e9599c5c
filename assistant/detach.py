"""Processes that outlive the one that starts them."""

from __future__ import annotations

import faulthandler
import os
import signal


def leave_caller() -> None:
    """Go on as a process of its own: out of the caller's process tree, session and terminal."""
    # The caller waits for this first process and so never has a zombie; the second belongs to init.
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    faulthandler.enable()
