"""Which processes go first where several want the same processors."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NICENESS = 10
"""A tenth of the share of a program that somebody waits for: that one answers at once, and all gets done."""


def give_way() -> None:
    """Let the programs that somebody waits for go before this process, and before all that it starts.

    It works in batches: its threads, when they wake up, do not interrupt others. Where the kernel shares the
    processors between sessions, the session gives way. Done again below such a process, it changes nothing.
    """
    if os.sched_getscheduler(0) == os.SCHED_BATCH:
        return
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(f"{NICENESS}\n", "ascii")
