"""Which processes go first where several want the same processors."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NICENESS = 4
"""Enough that a screen answers at once while everything computes, and little enough that all gets done."""


def give_way() -> None:
    """Let the programs that somebody waits for go before this process, and before all that it starts.

    Where the kernel shares the processors between sessions, the session gives way.
    """
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(f"{NICENESS}\n", "ascii")
