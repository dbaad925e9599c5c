"""The device player: real children, simpleaudio into a null device, and a driver that misbehaves."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import pytest

from assistant.playback.device import DevicePlayer
from assistant.playback.speaker import RATES, Unplayable, blocks

needs_simpleaudio = pytest.mark.skipif(
    importlib.util.find_spec("simpleaudio") is None, reason="the extra `audio` is not installed"
)
Tone = Callable[..., Path]


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def player() -> Iterator[DevicePlayer]:
    player = DevicePlayer()
    yield player
    player.close()


@pytest.fixture
def alsa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def use(default: str) -> None:
        path = tmp_path / "asound.conf"
        path.write_text(f"pcm.!default {{ {default} }}\n")
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(path))

    return use


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A simpleaudio of the test's own in the child."""

    def use(body: str) -> None:
        folder = tmp_path / "driver"
        folder.mkdir(exist_ok=True)
        (folder / "simpleaudio.py").write_text(
            f"import os, time\nclass Sound:\n    def wait_done(self): time.sleep(60)\n"
            f"def play_buffer(data, channels, width, rate):\n    {body}\n    return Sound()\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return use


@needs_simpleaudio
@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("plain.wav", 44100, 2, "PCM_16"),
        ("clip.wav", 32000, 1, "PCM_16"),
        ("odd rate.wav", 12000, 1, "PCM_16"),
        ("wide [red].wav", 48000, 6, "FLOAT"),
        ("deep.flac", 96000, 2, "PCM_24"),
        ("é 音.ogg", 44100, 2, ""),
        ("song.mp3", 44100, 2, ""),
    ],
)
def test_into_a_null_device(
    player: DevicePlayer, alsa: Callable[[str], None], tone: Tone, capfd: pytest.CaptureFixture[str],
    name: str, rate: int, channels: int, subtype: str,
) -> None:  # fmt: skip
    alsa("type null")
    player.play(tone(name, 0.5, rate, channels, subtype), start=0.1)
    assert player.playing() is not None
    wait_for(lambda: player.playing() is None)
    time.sleep(0.05)
    assert player.problem == ""
    assert player.position() == 0.0
    assert capfd.readouterr() == ("", "")


@needs_simpleaudio
def test_many_sounds_in_a_row(player: DevicePlayer, alsa: Callable[[str], None], tone: Tone) -> None:
    alsa("type null")
    path = tone(seconds=0.1)
    for _attempt in range(5):
        player.play(path)
        wait_for(lambda: player.playing() is None)
        assert player.problem == ""


@needs_simpleaudio
def test_no_device_is_one_sentence(
    player: DevicePlayer, alsa: Callable[[str], None], tone: Tone, capfd: pytest.CaptureFixture[str]
) -> None:
    alsa("type hw card 99")
    player.play(tone())
    wait_for(lambda: player.problem)
    assert player.problem.startswith("The sound device cannot be opened: ")
    assert "\n" not in player.problem
    assert player.problem.count(".") == 1
    assert capfd.readouterr() == ("", "")


def test_a_crash_costs_one_sound(
    player: DevicePlayer, driver: Callable[[str], None], tone: Tone, capfd: pytest.CaptureFixture[str]
) -> None:
    driver("os.kill(os.getpid(), 11)")
    path = tone("crash.wav")
    player.play(path)
    wait_for(lambda: player.problem)
    assert player.problem == "The player of crash.wav was ended by signal 11."
    assert player.playing() is None
    driver("os.write(1, b'noise\\n'); os.write(2, b'ALSA lib noise\\n')")
    player.play(path)
    assert player.problem == ""
    wait_for(lambda: player.position() > 0)
    assert player.playing() == path
    assert capfd.readouterr() == ("", "")


def test_stop_is_at_once_and_position_counts(
    player: DevicePlayer, driver: Callable[[str], None], tone: Tone
) -> None:
    driver("pass")
    path = tone(seconds=30)
    player.play(path, start=12.0)
    assert player.position() == 12.0
    wait_for(lambda: player.position() > 12.0)
    time.sleep(0.2)
    assert 12.2 <= player.position() < 15.0
    began = time.monotonic()
    player.stop()
    assert time.monotonic() - began < 0.5
    assert player.playing() is None
    assert player.position() == 0.0
    assert player.problem == ""


def test_a_new_sound_ends_the_old(player: DevicePlayer, driver: Callable[[str], None], tone: Tone) -> None:
    driver("pass")
    first, second = tone("first.wav", 20), tone("second.wav", 20)
    player.play(first)
    assert player._sound is not None
    child = player._sound.process
    player.play(second)
    assert child.poll() is not None
    assert player.playing() == second
    time.sleep(0.1)
    assert player.problem == ""


@pytest.mark.parametrize("name", ["absent.wav", "notes.txt", "folder", "empty.wav", "half.wav"])
def test_what_cannot_be_played(
    player: DevicePlayer, driver: Callable[[str], None], tmp_path: Path, name: str
) -> None:
    driver("pass")
    (tmp_path / "notes.txt").write_text("do re mi")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.wav").touch()
    (tmp_path / "half.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
    player.play(tmp_path / name)
    wait_for(lambda: player.problem)
    assert player.problem.startswith(f"{name} cannot be played as it is: ")
    assert "\n" not in player.problem


def test_simpleaudio_that_cannot_be_loaded(
    player: DevicePlayer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tone: Tone
) -> None:
    (tmp_path / "simpleaudio.py").write_text("raise ImportError('libasound.so.2 is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    player.play(tone())
    wait_for(lambda: player.problem)
    assert player.problem == "simpleaudio cannot be used: libasound.so.2 is missing."


def test_the_sound_ends_with_the_program(driver: Callable[[str], None], tone: Tone) -> None:
    driver("pass")
    program = (
        "import sys, os, time; from pathlib import Path; from assistant.playback.device import DevicePlayer; "
        "player = DevicePlayer(); player.play(Path(sys.argv[1])); "
        "print(player._sound.process.pid, flush=True); time.sleep(1); os.kill(os.getpid(), 9)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, tone(seconds=30)], stdout=subprocess.PIPE, check=False
    )
    child = Path(f"/proc/{int(answer.stdout)}/stat")
    wait_for(lambda: not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z", 3.0)


def test_what_reaches_the_device(tone: Tone, tmp_path: Path) -> None:
    for rate, channels, subtype in ((44100, 2, "PCM_16"), (11000, 2, "PCM_16"), (176400, 4, "PCM_24")):
        (block,) = blocks(tone("x.wav", 2.0, rate, channels, subtype), 0.5)
        assert block.rate in RATES
        assert block.channels == (1 if channels > 2 else channels)
        samples = numpy.frombuffer(block.data, "<i2").reshape(-1, block.channels)
        assert len(samples) == pytest.approx(1.5 * block.rate, abs=2)
        assert abs(samples).max() == pytest.approx(0.5 * 32767, rel=0.02)
        assert block.duration == pytest.approx(2.0)
    assert list(blocks(tone("y.wav"), 5.0)) == []
    with pytest.raises(Unplayable):
        list(blocks(tmp_path / "absent.flac", 0.0))
    assert os.fspath(tmp_path)
