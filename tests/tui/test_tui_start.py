"""The program from outside: how fast it starts, what it imports, how it ends."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from assistant.config import Settings
from assistant.library.library import Library
from tui.__main__ import main
from tui.app import MusicHelperApp
from tui.terminal import Guard

HEAVY = (
    "torch",
    "torchaudio",
    "tensorflow",
    "keras",
    "librosa",
    "audiocraft",
    "sklearn",
    "symusic",
    "av",
    "scipy",
)
LATE = (*HEAVY, "numpy", "soundfile", "textual_plot", "watchdog", "tomlkit")
START_SECONDS = 3.0
"""About half a second on a free machine; the limit allows for a busy one."""

FIRST_SCREEN = """
import asyncio, json, sys, time
began = time.monotonic()
from pathlib import Path
from assistant.config import Settings
from tui.app import MusicHelperApp

told = {}

class Watched(MusicHelperApp):
    def _open_library(self):
        told["seconds"] = time.monotonic() - began
        told["shown"] = "In the folder" in self.export_screenshot().replace("&#160;", " ")
        told["before"] = sorted(sys.modules)
        super()._open_library()

async def show():
    app = Watched(Path(sys.argv[1]), Settings(), watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        while app.snapshot is None:
            await pilot.pause(0.05)

asyncio.run(show())
print(json.dumps({**told, "after": sorted(sys.modules)}))
"""


def test_the_first_screen_comes_soon_and_without_anything_heavy(music: Library) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_SCREEN, str(music.root)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["shown"]
    assert [name for name in LATE if name in told["before"]] == []
    assert [name for name in HEAVY if name in told["after"]] == []
    assert told["seconds"] < START_SECONDS


def test_no_module_of_the_app_imports_anything_heavy() -> None:
    root = Path(__file__).parents[2]
    modules = [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in (root / "tui").rglob("*.py")
        if path.name != "__init__.py"
    ]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=root
    )
    assert [name for name in (*HEAVY, "numpy") if name in done.stdout.split()] == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert "musichelper-tui" in done.stdout


def test_without_a_terminal_it_says_what_to_use_instead(music: Library) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", str(music.root)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "terminal" in done.stderr
    assert "musichelper" in done.stderr
    assert done.stdout == ""


def test_a_wrong_configuration_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[interface]\nthem = "x"\n')
    assert main(["--config", str(path), str(tmp_path)]) == 2
    assert "Did you mean interface.theme?" in capsys.readouterr().err


class Terminal:
    """The app in a pseudo-terminal, as a session of its own."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        pid, self.descriptor = pty.fork()
        if pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **environment})
            os.execv(sys.executable, [sys.executable, "-m", "tui", *arguments])
        self.pid = pid
        self.output = b""

    def wait_for(self, text: bytes, seconds: float = 20.0) -> None:
        """Read until a text comes."""
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < deadline, self.output[-2000:]
            self.read(0.1)

    def read(self, seconds: float) -> None:
        """Take what comes within a time."""
        if select.select([self.descriptor], [], [], seconds)[0]:
            try:
                self.output += os.read(self.descriptor, 1 << 16)
            except OSError:
                return  # the other side is closed

    def end(self, seconds: float = 10.0) -> int:
        """Wait for the process; its wait status."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.read(0.0)
                return status
            self.read(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        pytest.fail("the app did not end")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_and_restores_the_terminal(music: Library, number: signal.Signals) -> None:
    terminal = Terminal(str(music.root))
    terminal.wait_for(b"In the folder")
    os.kill(terminal.pid, number)
    status = terminal.end()
    assert os.WIFEXITED(status)
    for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l"):
        assert sequence in terminal.output
    os.close(terminal.descriptor)


def test_a_stalled_terminal_does_not_keep_it(music: Library) -> None:
    """Nobody reads what it writes, until it cannot write any more; then it is asked to end."""
    terminal = Terminal(str(music.root))
    terminal.wait_for(b"In the folder")
    for _page in range(40):
        os.write(terminal.descriptor, b"\x1bOR\x1bOQ")
        time.sleep(0.05)
    os.kill(terminal.pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while os.waitpid(terminal.pid, os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline, "it waits for the terminal"
        time.sleep(0.1)
    os.close(terminal.descriptor)


def test_being_stopped_and_continued_changes_nothing(music: Library) -> None:
    terminal = Terminal(str(music.root))
    terminal.wait_for(b"watching")
    terminal.read(2.0)
    tasks = Path(f"/proc/{terminal.pid}/task")

    before = len(list(tasks.iterdir()))
    for _turn in range(8):
        os.kill(terminal.pid, signal.SIGSTOP)
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.read(0.2)
    assert len(list(tasks.iterdir())) < before + 8  # Textual alone begins two a turn
    os.write(terminal.descriptor, b"q")
    assert os.waitstatus_to_exitcode(terminal.end()) == 0
    os.close(terminal.descriptor)


def test_a_terminal_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard(MusicHelperApp(None, Settings()))
    guard._saved = []

    def gone(*_arguments: object) -> None:
        raise termios.error(5, "Input/output error")

    monkeypatch.setattr(termios, "tcsetattr", gone)
    guard.restore()


def test_a_lost_connection_ends_it_and_frees_the_watch(music: Library) -> None:
    from assistant.intake.watch import watch_state

    terminal = Terminal(str(music.root))
    terminal.wait_for(b"watching")
    os.close(terminal.descriptor)
    deadline = time.monotonic() + 10
    while os.waitpid(terminal.pid, os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not watch_state(music)["running"]
    music.close()


def test_q_leaves(music: Library) -> None:
    terminal = Terminal(str(music.root))
    terminal.wait_for(b"In the folder")
    os.write(terminal.descriptor, b"q")
    assert os.waitstatus_to_exitcode(terminal.end()) == 0
    os.close(terminal.descriptor)
