"""Which player is chosen, and how fast."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.config import PlaybackSettings
from assistant.playback import player as players
from assistant.playback.player import Player, choose_player
from assistant.playback.sound import sound_device


def chosen(**settings: object) -> Player:
    began = time.monotonic()
    player = choose_player(PlaybackSettings(port=0, **settings))  # type: ignore[arg-type]
    assert time.monotonic() - began < 0.2
    player.close()
    return player


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players, "simpleaudio_installed", lambda: True)


def own_configuration(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / ".asoundrc").write_text("pcm.!default { type null }")


def test_a_device_comes_first(tmp_path: Path) -> None:
    own_configuration(tmp_path)
    player = chosen()
    assert player.kind == "device"
    assert ".asoundrc" in player.sentence
    assert (player.link, player.command, player.problem) == ("", "", "")


def test_without_a_device_there_is_the_page() -> None:
    player = chosen()
    assert player.kind == "browser"
    assert player.link in player.sentence


def test_without_simpleaudio_there_is_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_configuration(tmp_path)
    monkeypatch.setattr(players, "simpleaudio_installed", lambda: False)
    assert chosen().kind == "browser"
    player = chosen(player="device")
    assert player.kind == "none"
    assert "simpleaudio is not installed" in player.sentence


def test_what_the_settings_name(tmp_path: Path) -> None:
    assert chosen(player="device").kind == "device"
    own_configuration(tmp_path)
    assert chosen(player="browser").kind == "browser"
    assert chosen(player="none").kind == "none"


def test_a_card_is_not_heard_over_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cards").write_text(" 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n    HDA Intel at 0x1\n")
    assert sound_device() is None  # nothing to play on
    (tmp_path / "pcmC0D0p").touch()
    assert sound_device() == "the sound card HDA-Intel - HDA Intel PCH"
    assert chosen().kind == "device"
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
    assert chosen().kind == "browser"
    assert chosen(player="device").kind == "device"
    own_configuration(tmp_path)
    assert chosen().kind == "device"


def test_no_cards(tmp_path: Path) -> None:
    (tmp_path / "cards").write_text("--- no soundcards ---\n")
    assert sound_device() is None


def test_a_sound_server_must_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runtime" / "pulse"
    folder.mkdir(parents=True)
    path = folder / "native"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))
        assert sound_device() is None
        server.listen()
        assert sound_device() == "the sound server PulseAudio"
        assert sound_device(near_listener=True) is None
        monkeypatch.setenv("PULSE_SERVER", f"{{abc}}unix:{path} tcp:elsewhere")
        assert sound_device(near_listener=True)
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        port = tcp.getsockname()[1]
        monkeypatch.setenv("PULSE_SERVER", f"tcp:127.0.0.1:{port}")
        assert sound_device(near_listener=True) == f"the sound server tcp:127.0.0.1:{port}"
    assert sound_device(near_listener=True) is None
    for value in ("tcp:[::1]:1", "tcp:localhost:1", " ", "tcp:127.0.0.1:999999", "unix:/absent"):
        monkeypatch.setenv("PULSE_SERVER", value)
        assert sound_device(near_listener=True) is None


def test_no_player_tells_how_to_fetch_the_file(tmp_path: Path) -> None:
    player = chosen(player="none")
    assert (player.problem, player.command) == ("", "")
    player.play(tmp_path / "it's a song.wav")
    assert player.playing() is None
    assert player.command.startswith("ssh ")
    assert player.command.endswith("| ffplay -nodisp -autoexit -")
    # What the two shells make of it is the one file again.
    remote = shlex.split(player.command)[player.command.startswith("ssh -p") * 2 + 2]
    assert shlex.split(remote) == ["cat", str(tmp_path / "it's a song.wav")]
    player.stop()


def test_no_port_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("assistant.playback.browser.serve_page", refuse)
    player = chosen()
    assert player.kind == "none"
    assert "Too many open files" in player.sentence


def test_choosing_loads_nothing_heavy() -> None:
    program = (
        "import sys; from assistant.config import PlaybackSettings; "
        "from assistant.playback.player import choose_player; "
        "choose_player(PlaybackSettings(port=0)).close(); "
        "print([name for name in ('numpy', 'soundfile', 'simpleaudio', 'torch') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")
