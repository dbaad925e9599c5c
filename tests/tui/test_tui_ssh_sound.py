"""Sound over a real ssh: a page in a real browser through `ssh -L`, a real PulseAudio through `ssh -R`.

Needs `sshd` and `ssh`, and Chromium or `pulseaudio` with `pacat`; says so and is skipped without them. Run
with `pytest -m slow`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from assistant.library.library import Library
from tests.playback.test_real_browser import BROWSER, Listener
from tests.tui.ssh_host import OVER_SSH, Host, answers, cut, press, until
from tests.tui.tui_library import RATE

pytestmark = OVER_SSH
HERTZ = 330.0
SECONDS = 30.0


@pytest.fixture
def song(music: Library) -> Path:
    """The first track of the queue, long enough to be heard."""
    (track,) = [one for one in music.ledger.tracks() if one.path.name == "song a.wav"]
    path = music.root / track.path
    moments = np.arange(int(RATE * SECONDS)) / RATE
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * HERTZ * moments), RATE, subtype="PCM_16")
    stat = path.stat()
    music.ledger.update_track(track.id, duration=SECONDS, size=stat.st_size, mtime_ns=stat.st_mtime_ns)
    music.close()
    return path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def configured(tmp_path: Path, text: str) -> str:
    """The variable that names a configuration."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    return f"export MUSICHELPER_CONFIG={path};"


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome, which is not installed here")
def test_space_in_the_terminal_plays_in_the_browser_behind_the_forwarded_port(
    host: Host, song: Path, tmp_path: Path
) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    port = free_port()
    # The listener's own computer: its end of the connection is another address of this one.
    terminal = host.connect(
        configured(tmp_path, f"[playback]\nport = {port}\n") + host.app,
        "-L",
        f"127.0.0.2:{port}:127.0.0.1:{port}",
    )
    terminal.wait_for("In the folder")
    terminal.settle(quiet=1.0, most=10.0)
    press(terminal, b"\x1bOS", "0 labelled")
    press(terminal, b" ", f"ssh -L {port}:127.0.0.1:{port}")
    (link,) = set(re.findall(rf"http://127\.0\.0\.1:{port}/[\w-]+/", terminal.text))
    terminal.send(b"\r")
    terminal.settle(quiet=1.0, most=10.0)  # a terminal that nobody reads would stall the connection
    arguments = [
        "--no-sandbox", "--disable-gpu", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
        "--host-resolver-rules=MAP localhost 127.0.0.2",
    ]  # fmt: skip
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=arguments)
        listener = Listener(browser.new_page(), link.replace("127.0.0.1", "localhost"))
        listener.until("document.getElementById('state').className === 'on'")
        listener.until("!document.getElementById('audio').paused")
        assert listener.says("document.getElementById('name').textContent") == song.name
        terminal.wait_for("▶ 0:0")
        terminal.send(b" ")
        listener.until("document.getElementById('audio').paused")
        terminal.settle(quiet=0.5)
        terminal.send(b"\x1b[C")  # five seconds on
        terminal.settle(quiet=0.5)
        terminal.send(b" ")
        listener.until("!document.getElementById('audio').paused")
        listener.until("document.getElementById('audio').currentTime >= 5")
        assert 206 in listener.statuses
        assert listener.problems == []
        browser.close()
    cut(terminal)


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[int]:
    """A PulseAudio server that plays to nobody; its port."""
    for name in ("pulseaudio", "parec", "pacat"):
        if shutil.which(name) is None:
            pytest.skip(f"needs {name}, which is not installed here")
    port = free_port()
    (tmp_path / "pulse").mkdir(mode=0o700)
    server = subprocess.Popen(
        [
            "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
            "-L", "module-null-sink sink_name=ear",
            "-L", f"module-native-protocol-tcp auth-anonymous=1 listen=127.0.0.1 port={port}",
        ],
        env={**os.environ, "HOME": str(tmp_path / "pulse"), "XDG_RUNTIME_DIR": str(tmp_path / "pulse")},
        stderr=(tmp_path / "pulse.log").open("wb"),
    )  # fmt: skip
    until(lambda: answers(port), "pulseaudio does not answer")
    yield port
    server.terminate()
    server.wait()


def test_a_forwarded_pulseaudio_is_heard(host: Host, song: Path, ear: int, tmp_path: Path) -> None:
    forwarded, recording = free_port(), tmp_path / "heard"
    recorder = subprocess.Popen(
        [
            "parec",
            "-d",
            "ear.monitor",
            "--format=s16le",
            f"--rate={RATE}",
            "--channels=1",
            "--latency-msec=50",
        ],
        env={**os.environ, "PULSE_SERVER": f"tcp:127.0.0.1:{ear}", "HOME": str(tmp_path / "pulse")},
        stdout=recording.open("wb"),
    )
    terminal = host.connect(
        f"export PULSE_SERVER=tcp:127.0.0.1:{forwarded}; {host.app}", "-R", f"{forwarded}:127.0.0.1:{ear}"
    )
    terminal.wait_for("In the folder")
    terminal.settle(quiet=1.0, most=10.0)
    press(terminal, b"\x1bOS", "0 labelled")
    press(terminal, b" ", "▶ 0:")
    until(lambda: np.count_nonzero(loud(recording)) > 0.5 * RATE, "nothing is heard")
    terminal.send(b" ")
    end = recording.stat().st_size
    until(lambda: not loud(recording)[-RATE // 2 :].any(), "it is heard after it was stopped")
    assert recording.stat().st_size > end
    recorder.terminate()
    recorder.wait()
    cut(terminal)
    begin = int(np.flatnonzero(loud(recording))[0])
    first = samples(recording)[begin : begin + RATE // 4].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(first * np.hanning(len(first))))
    assert abs(spectrum.argmax() * RATE / len(first) - HERTZ) < 8.0


def samples(recording: Path) -> np.ndarray[Any, Any]:
    """What was heard so far."""
    data = recording.read_bytes()
    return np.frombuffer(data[: len(data) // 2 * 2], "<i2")


def loud(recording: Path) -> np.ndarray[Any, Any]:
    """Where it was loud."""
    found: np.ndarray[Any, Any] = np.abs(samples(recording).astype(np.int32)) > 1000
    return found
