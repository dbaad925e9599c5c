"""PulseAudio's client, a command of the person's own, gain and loop, and what is said of each way."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import pytest

from assistant.config import PlaybackSettings
from assistant.playback import sound
from assistant.playback.browser import BrowserPlayer
from assistant.playback.command import CommandPlayer
from assistant.playback.device import PulsePlayer
from assistant.playback.player import Player, choose_player
from assistant.playback.speaker import Block, _changed
from assistant.playback.ways import ways

Tone = Callable[..., Path]


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def program(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def pacat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A client of PulseAudio's that keeps what it is given, and a server that answers."""

    def install(body: str = "") -> Path:
        program(tmp_path / "bin", "pacat", body or f'echo "$@" > {tmp_path}/words; cat > {tmp_path}/heard')
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setattr(sound, "pacat_installed", lambda: True)
        return tmp_path / "heard"

    return install


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        address = f"tcp:127.0.0.1:{tcp.getsockname()[1]}"
        monkeypatch.setenv("PULSE_SERVER", address)
        yield address


def test_a_forwarded_server_is_played_to_by_its_own_client(
    pacat: Callable[[str], Path], server: str, tone: Tone, tmp_path: Path
) -> None:
    heard = pacat("")
    player = choose_player(PlaybackSettings())
    assert player.kind == "pulse"
    assert server in player.sentence
    player.play(tone(seconds=1.0), start=0.5, gain=-20.0)
    wait_for(lambda: player.playing() is None)
    assert player.problem == ""
    samples = numpy.frombuffer(heard.read_bytes(), "<i2").reshape(-1, 2)
    assert len(samples) == 22050
    assert abs(samples).max() == pytest.approx(0.05 * 32767, rel=0.02)
    assert "--rate=44100 --channels=2" in (tmp_path / "words").read_text()


def test_what_the_client_says_is_the_problem(pacat: Callable[[str], Path], tone: Tone) -> None:
    pacat("echo 'Connection failure: Access denied' >&2; exit 1")
    player = PulsePlayer("somewhere")
    player.play(tone(seconds=5.0))
    wait_for(lambda: player.problem)
    assert "Connection failure: Access denied" in player.problem


def test_a_loop_goes_on_until_it_is_stopped(pacat: Callable[[str], Path], tone: Tone) -> None:
    heard = pacat("")
    player = PulsePlayer("somewhere")
    player.play(tone(seconds=0.2), loop=True)
    wait_for(lambda: heard.exists() and heard.stat().st_size > 3 * 44100 * 4)
    assert player.playing() is not None
    assert 0 <= player.position() < 0.2
    player.stop()
    assert player.playing() is None


def test_a_short_loop_is_handed_over_many_times_at_once() -> None:
    block = Block(numpy.full(1000, 1000, "<i2").tobytes(), 1, 1000, 1.0)
    looped = _changed(block, -6.0206, True)
    samples = numpy.frombuffer(looped.data, "<i2")
    assert len(samples) == 60_000
    assert set(samples) == {500}
    part = Block(block.data, 1, 1000, 3.0)
    assert len(_changed(part, 0.0, True).data) == len(block.data)


def test_a_command_gets_the_file_or_its_name(tone: Tone, tmp_path: Path) -> None:
    path = tone("it's [red].wav")
    keep = program(tmp_path / "own", "keep", f'echo "$@" > {tmp_path}/words; cat > {tmp_path}/got')
    player = choose_player(PlaybackSettings(player="command", command=f"{keep} --from {{start}}"))
    assert player.kind == "command"
    player.play(path, start=2.5)
    wait_for(lambda: player.playing() is None)
    assert (tmp_path / "got").read_bytes() == path.read_bytes()
    assert (tmp_path / "words").read_text() == "--from 2.5\n"
    named = CommandPlayer(f"{keep} {{file}} {{gain}}")
    named.play(path, gain=-3.0)
    wait_for(lambda: named.playing() is None)
    assert (tmp_path / "words").read_text() == f"{path} -3\n"
    failing = CommandPlayer("false")
    failing.play(path)
    wait_for(lambda: failing.problem)


def test_stopping_ends_all_that_a_command_started(tone: Tone, tmp_path: Path) -> None:
    long = program(tmp_path / "own", "long", f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    player = CommandPlayer(os.fspath(long))
    player.play(tone())
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    inner = Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    player.stop()
    wait_for(lambda: not inner.exists() or inner.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (PlaybackSettings(player="command"), "empty"),
        (PlaybackSettings(player="command", command="no-such-program {file}"), "no-such-program"),
        (PlaybackSettings(player="command", command="'open"), "cannot be read"),
        (PlaybackSettings(player="pulse"), "PULSE_SERVER"),
    ],
)
def test_what_cannot_be_used_says_why(settings: PlaybackSettings, word: str) -> None:
    player: Player = choose_player(settings)
    assert player.kind == "none"
    assert word in player.sentence


def test_each_way_says_whether_it_works(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 2222")
    found = {way.kind: way for way in ways(PlaybackSettings(command="true {file}"))}
    assert list(found) == ["pulse", "device", "browser", "command", "none"]
    assert not found["pulse"].works
    assert "pacat" in found["pulse"].sentence
    assert found["browser"].works
    assert "ssh -L 8765:127.0.0.1:8765 -p 2222" in found["browser"].sentence
    assert found["command"].works


def test_the_page_is_told_gain_loop_and_a_title_that_hides_the_name(tone: Tone) -> None:
    player = BrowserPlayer(0)
    try:
        path = tone("secret.wav")
        player.play(path, 1.0, gain=-4.5, loop=True, title="A")
        state = player._server._state()
        assert '"gain": -4.5, "loop": true' in state
        assert '"name": "A"' in state
        assert "secret" not in state
        player.play(path)
        assert "secret.wav" in player._server._state()
    finally:
        player.close()
