"""Who a process is: its pid alone is not enough, because pids are used again."""

from __future__ import annotations

import functools
import socket
from pathlib import Path


@functools.cache
def boot_id() -> str:
    """The kernel's name for this start of the machine; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


@functools.cache
def host_name() -> str:
    """The name of this machine."""
    return socket.gethostname()


def process_start(pid: int) -> int | None:
    """When the process was started, in clock ticks since boot; None where it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The command's name, in parentheses, may itself hold spaces and parentheses.
    fields = stat[stat.rindex(")") + 2 :].split()
    state, start = fields[0], fields[19]
    return None if state in "ZXx" else int(start)


def is_same_process(pid: int, start: int, boot: str) -> bool:
    """Whether the process with this pid is still the one that was started then."""
    return boot == boot_id() and process_start(pid) == start
