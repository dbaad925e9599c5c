"""What the doctor says of machines that are as the tests make them."""

from __future__ import annotations

import importlib.metadata
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.config import IntakeSettings, Settings
from assistant.doctor import Check, checks, machine
from assistant.doctor.check import GIB
from assistant.library import host
from assistant.library.find import music_folders
from assistant.library.library import Library, create_library
from assistant.runs import gpu


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER", "ALSA_CONFIG_PATH",
        "HF_HOME", "HF_HUB_CACHE", "AUDIOCRAFT_CACHE_DIR", "XDG_CACHE_HOME",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr("assistant.playback.sound._CARDS", tmp_path / "cards")


def found(name: str, tmp_path: Path | None = None, **settings: object) -> Check:
    library = create_library(tmp_path / "music") if tmp_path else None
    all_found = checks(library, Settings(**settings))  # type: ignore[arg-type]
    if library:
        library.close()
    assert len({check.name for check in all_found}) == len(all_found)
    for check in all_found:
        assert check.title
        assert check.detail
        assert "could not be looked at" not in check.detail
    return next(check for check in all_found if check.name == name)


def test_everything_is_looked_at_quickly_and_without_torch() -> None:
    program = (
        "import sys, time; from assistant.config import Settings; from assistant.doctor import checks; "
        "began = time.monotonic(); found = checks(None, Settings()); "
        "print(time.monotonic() - began < 6, len(found) >= 12, "
        "[name for name in ('torch', 'tensorflow', 'librosa', 'audiocraft', 'av') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (answer.stdout, answer.stderr) == ("True True []\n", "")


def test_a_probe_that_breaks_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(host, "usable_memory", broken)
    all_found = {check.name: check for check in checks(None, Settings())}
    assert not all_found["computer"].ok
    assert "Input/output error" in all_found["computer"].detail
    assert all_found["python"].ok


def test_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "torch":
            raise importlib.metadata.PackageNotFoundError
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    check = found("packages")
    assert (check.ok, check.needed) == (False, True)
    assert "torch" in check.detail
    assert "uv sync" in check.hint


def test_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "gpus", list)
    monkeypatch.setattr(host, "gpu_on_bus", lambda: False)
    assert "No NVIDIA GPU" in found("gpu").detail
    monkeypatch.setattr(host, "gpu_on_bus", lambda: True)
    assert "nvidia-smi" in found("gpu").hint
    card = gpu.Gpu(0, "Some Card", 24 * GIB, 4 * GIB, 0, 40)
    monkeypatch.setattr(gpu, "gpus", lambda: [card])
    monkeypatch.setattr(gpu, "driver", lambda: ("535.1", 12020))
    check = found("gpu")
    assert (check.ok, check.detail, check.hint) == (True, "Some Card, 20 of 24 GiB free", "")
    monkeypatch.setattr(machine, "_version", lambda name: "13.0.96" if name == "nvidia-cuda-runtime" else "1")
    check = found("cuda")
    assert not check.ok
    assert "12.2" in check.detail
    assert "driver" in check.hint
    monkeypatch.setattr(gpu, "driver", lambda: ("580.1", 13000))
    assert found("cuda").ok


def test_the_library(tmp_path: Path) -> None:
    assert "musichelper init" in found("library").hint
    check = found("library", tmp_path)
    assert (check.ok, check.detail, check.hint) == (True, str(tmp_path / "music"), "")
    (tmp_path / "music" / ".musichelper" / "ledger.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with Library(tmp_path / "music") as library:
        all_found = {check.name: check for check in checks(library, Settings())}
    assert not all_found["library"].ok
    assert "ledger.db" in all_found["library"].detail
    assert all_found["library"].hint


def test_music_lying_about(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "Music" / "albums"
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.mp3").touch()
    check = found("music")
    assert check.detail == f"3 files in {folder}"
    assert f"musichelper init {folder}" in check.hint


def test_disk_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _place: type("Usage", (), {"free": GIB // 2, "total": 1}))
    check = found("disk")
    assert (check.ok, check.needed) == (False, True)
    monkeypatch.setattr(host, "usable_memory", lambda: 2 * GIB)
    assert not found("computer").ok


def test_the_soundfont(tmp_path: Path) -> None:
    assert found("soundfont").ok
    check = found("soundfont", intake=IntakeSettings(soundfont=str(tmp_path / "absent.sf2")))
    assert not check.ok
    assert "absent.sf2" in check.detail
    assert check.hint


def test_models_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = found("models")
    assert not check.ok
    assert ".cache/huggingface/hub" in check.detail
    cache = tmp_path / "cache"
    monkeypatch.setenv("HF_HOME", str(cache))
    begun = cache / "hub" / "models--facebook--musicgen-large"
    begun.mkdir(parents=True)  # asked for, nothing arrived
    whole = cache / "hub" / "models--facebook--musicgen-small" / "snapshots" / "abc"
    whole.mkdir(parents=True)
    (whole / "state_dict.bin").touch()
    check = found("models")
    assert (check.ok, check.detail) == (True, f"facebook/musicgen-small in {cache / 'hub'}")


def test_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.playback.sound.simpleaudio_installed", lambda: False)
    check = found("sound")
    assert not check.ok
    assert "no sound device" in check.detail
    assert "ssh -L 8765:127.0.0.1:8765" in check.hint
    monkeypatch.setenv("DISPLAY", ":0")
    assert "ssh" not in found("sound").hint
    (tmp_path / "home" / ".asoundrc").write_text("pcm.!default { type null }")
    assert "libasound2-dev" in found("sound").hint
    monkeypatch.setattr("assistant.playback.sound.simpleaudio_installed", lambda: True)
    assert found("sound").ok


def test_inotify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    before = host.inotify_use()
    observer = Observer()
    for number in range(3):
        (tmp_path / str(number)).mkdir()
    observer.schedule(FileSystemEventHandler(), str(tmp_path), recursive=True)
    observer.start()
    try:
        watches, watchers = host.inotify_use()
    finally:
        observer.stop()
        observer.join()
    assert watches >= before[0] + 4
    assert watchers >= before[1] + 1
    assert "watches" in found("inotify").detail
    monkeypatch.setattr(host, "inotify_limits", lambda: (8, 128))
    check = found("inotify", tmp_path)
    assert not check.ok
    assert "sysctl fs.inotify.max_user_watches=65536" in check.hint
    monkeypatch.setattr(host, "inotify_limits", lambda: None)
    assert not found("inotify").ok


@pytest.mark.parametrize(
    ("name", "size", "ok"),
    [("xterm", (80, 24), True), ("dumb", (80, 24), False), ("xterm", (60, 20), False)],
)
def test_the_terminal(monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int], ok: bool) -> None:
    parent, child = pty.openpty()
    with os.fdopen(child, "r") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setenv("TERM", name)
        monkeypatch.setenv("COLUMNS", str(size[0]))
        monkeypatch.setenv("LINES", str(size[1]))
        check = found("terminal")
    os.close(parent)
    assert check.ok is ok
    assert bool(check.hint) is not ok


def test_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getencoding", lambda: "ISO-8859-1")
    assert "C.UTF-8" in found("locale").hint


def test_logging_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "runs_systemd", lambda: True)
    monkeypatch.setattr(host, "_SYSTEMD_FOLDERS", (str(tmp_path / "lib"), str(tmp_path / "etc")))
    assert found("logout").ok
    (tmp_path / "lib" / "logind.conf.d").mkdir(parents=True)
    (tmp_path / "lib" / "logind.conf.d" / "50-x.conf").write_text(
        "[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\n"
    )
    monkeypatch.setattr(host, "lingers", lambda: False)
    check = found("logout")
    assert not check.ok
    assert "loginctl enable-linger" in check.hint
    monkeypatch.setattr(host, "lingers", lambda: True)
    assert "enable-linger" not in found("logout").hint
    (tmp_path / "etc" / "logind.conf.d").mkdir(parents=True)
    (tmp_path / "etc" / "logind.conf.d" / "50-x.conf").write_text("[Login]\nKillUserProcesses=no\n")
    assert found("logout").ok


def test_the_file_system(tmp_path: Path) -> None:
    assert host.file_system(Path("/proc/self")) == "proc"
    assert host.file_system(tmp_path)


def music(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_music_folders(tmp_path: Path) -> None:
    home = tmp_path / "home"
    music(home / "data" / "gtzan" / "Blues", "a.wav", "b.wav", "notes.txt")
    music(home / "data" / "gtzan" / "jazz", "c.flac")
    music(home / "Music", "one.mp3", "two.mid", ".hidden.mp3", "three.mp3.part")
    music(home / "Music" / "album" / "disc 1", "d.ogg")
    music(home / ".cache" / "x", "no.mp3")
    music(home / "project" / "node_modules", "no.mp3")
    music(home / "texts", "no.txt")
    music(home / "lib" / "rock", "e.mp3")
    (home / "lib" / ".musichelper").mkdir()
    (home / "link").symlink_to(home / "data")
    folders = music_folders(home)
    assert [(folder.path.relative_to(home).as_posix(), folder.files, folder.midi) for folder in folders] == [
        ("Music", 3, 1),
        ("data/gtzan", 3, 0),
        ("lib", 1, 0),
    ]
    assert folders[1].genres == ("Blues", "jazz")
    assert [folder.library for folder in folders] == [False, False, True]
    assert all(folder.counted for folder in folders)


def test_music_elsewhere_and_nowhere(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "disk" / "sounds"
    music(other / "a", "a.mp3")
    music(home / ".config")
    (home / ".config" / "user-dirs.dirs").write_text(f'XDG_MUSIC_DIR="{other}"\n')
    assert [folder.path for folder in music_folders(home)] == [other / "a"]
    assert music_folders(tmp_path / "absent") == []
    music(home, "at home.mp3")
    assert home in [folder.path for folder in music_folders(home)]


def test_looking_for_music_ends_in_time(tmp_path: Path) -> None:
    for number in range(1500):
        music(tmp_path / "many" / str(number % 40) / str(number), "a.mp3")
    began = time.monotonic()
    folders = music_folders(tmp_path, seconds=0.01)
    assert time.monotonic() - began < 1.0
    assert sum(folder.files for folder in folders) < 1500
    assert not any(folder.counted for folder in folders)
    assert [(folder.files, folder.counted) for folder in music_folders(tmp_path)] == [(1500, True)]
