"""An sshd of this user's with the app behind it, and a terminal in front; what the tests over ssh share."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bench.terminal import Terminal

SSHD = shutil.which("sshd") or next((p for p in ("/usr/sbin/sshd",) if Path(p).exists()), None)
MISSING = [name for name in ("ssh", "ssh-keygen", "tmux") if shutil.which(name) is None] + ["sshd"] * (
    not SSHD
)
ROOT = Path(__file__).resolve().parents[2]
FAKE_WORKER = Path(__file__).with_name("worker_with_fake_training.py")
SECONDS = 60.0

OVER_SSH = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
"""The marks of a file of such tests."""

LAUNCHER = """
import sys
from assistant.runs import launch
launch.WORKER_COMMAND = (sys.executable, {worker!r})
from tui.__main__ import main
sys.exit(main([{library!r}]))
"""


@dataclass
class Host:
    """An sshd of this user's on this machine, with the app as a script."""

    port: int
    key: Path
    script: Path
    socket: str
    terminals: list[Terminal] = field(default_factory=list)
    """All that were connected."""

    def connect(self, remote: str, *options: str) -> Terminal:
        """A terminal with an ssh that runs a command."""
        terminal = Terminal(
            [
                "ssh", "-tt", *options, "-p", str(self.port), "-i", str(self.key),
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", f"{getpass.getuser()}@127.0.0.1", remote,
            ],
            columns=100,
            lines=30,
        )  # fmt: skip
        self.terminals.append(terminal)
        return terminal

    @property
    def app(self) -> str:
        """The command that shows the app."""
        return f"cd {ROOT} && LC_ALL=C.UTF-8 {sys.executable} {self.script}"

    @property
    def in_tmux(self) -> str:
        """The same in a tmux, or back to it."""
        return f"LC_ALL=C.UTF-8 tmux -L {self.socket} -f /dev/null new-session -A -s m '{self.app}'"


@contextmanager
def sshd(library: Path, tmp_path: Path) -> Iterator[Host]:
    """The host, with the app on a library."""
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True
        )
    (tmp_path / "keys").write_bytes((tmp_path / "user.pub").read_bytes())
    script = tmp_path / "app.py"
    script.write_text(LAUNCHER.format(worker=str(FAKE_WORKER), library=str(library)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    assert SSHD
    options = ("StrictModes=no", "UsePAM=no", "PidFile=none", "ListenAddress=127.0.0.1")
    command = [SSHD, "-D", "-e", "-f", "/dev/null", "-p", str(port), "-h", str(tmp_path / "host")]
    for option in (*options, f"AuthorizedKeysFile={tmp_path / 'keys'}", "PermitRootLogin=yes"):
        command += ["-o", option]
    with (tmp_path / "sshd.log").open("wb") as log:
        daemon = subprocess.Popen(command, stderr=log)
    here = Host(port, tmp_path / "user", script, f"test-{os.getpid()}-{port}")
    until(lambda: answers(port), "sshd does not answer")
    try:
        yield here
    finally:
        for terminal in here.terminals:
            if terminal.descriptor >= 0:
                cut(terminal)
        subprocess.run(["tmux", "-L", here.socket, "kill-server"], check=False, capture_output=True)
        daemon.terminate()
        daemon.wait()


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def apps(host: Host) -> list[int]:
    """The processes of the app."""
    found = subprocess.run(
        ["pgrep", "-f", f"^{sys.executable} {host.script}"], capture_output=True, text=True
    )
    return [int(pid) for pid in found.stdout.split()]


def cut(terminal: Terminal) -> None:
    """The connection is gone at once, without a word."""
    os.kill(terminal.pid, signal.SIGKILL)
    os.waitpid(terminal.pid, 0)
    os.close(terminal.descriptor)
    terminal.descriptor = -1


def press(terminal: Terminal, keys: bytes, words: str) -> None:
    """Press keys and wait until the screen says something."""
    terminal.send(keys)
    terminal.wait_for(words, SECONDS)
    terminal.settle(quiet=0.3)


def decide(terminal: Terminal, key: bytes, holds: Callable[[], object], what: str) -> None:
    """Press a key that decides; again where it came before the track was painted and so did nothing."""
    for _attempt in range(5):
        terminal.settle(quiet=1.0, most=10.0)
        terminal.send(key)
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            if holds():
                return
            terminal.read(0.1)
    pytest.fail(what)
