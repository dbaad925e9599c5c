"""How the listener's own computer reaches this machine."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class LoginAddress:
    """What to write after `ssh`."""

    user: str
    host: str
    port: int

    @property
    def login(self) -> str:
        """`user@host`."""
        return f"{self.user}@{self.host}" if self.user else self.host


def over_ssh() -> bool:
    """Whether this program was started in an SSH connection."""
    return bool(os.environ.get("SSH_CONNECTION"))


def on_own_screen() -> bool:
    """Whether a browser on this machine can show a page to the person."""
    return not over_ssh() and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def login_address() -> LoginAddress:
    """Where the person's SSH connection came in, or this machine's name where there is none."""
    host, port = socket.gethostname(), 22
    # "client port server port"
    parts = os.environ.get("SSH_CONNECTION", "").split()
    if len(parts) == 4 and parts[3].isdigit():
        host, port = parts[2], int(parts[3])
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        user = ""
    return LoginAddress(user, host, port)


def forward_command(port: int) -> str:
    """The `ssh -L` line that makes a port of this machine's loopback the listener's own."""
    address = login_address()
    other_port = f" -p {address.port}" if address.port != 22 else ""
    return f"ssh -L {port}:127.0.0.1:{port}{other_port} {address.login}"
