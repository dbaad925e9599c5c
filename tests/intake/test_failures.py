"""Each failure in its own words, tried again by a rule, and never in the way of the others."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.audio.guard import decoder_version
from assistant.cli import main
from assistant.config import IntakeSettings
from assistant.files import NotAFile, is_left_behind, open_regular, temporary_beside
from assistant.intake.engine import Engine
from assistant.intake.events import IntakeEvent
from assistant.intake.pipeline import run_once
from assistant.intake.retry import after_fault, after_trouble, retry
from assistant.intake.space import reserve_bytes, wav_bytes
from assistant.library.library import Library
from assistant.library.scan import content_hash, scan
from assistant.library.status import library_status
from tests.intake.intake_runs import run, track
from tests.made_sounds import tone, write, write_av


def come(library: Library, name: str) -> None:
    """Let the time of the next attempt come."""
    library.ledger.update_track(track(library, name).id, retry_at=time.time() - 1)


# Tried again


def test_a_bad_file_is_tried_three_times_and_then_set_aside(library: Library) -> None:
    path = library.root / "rock/a.mp3"
    path.write_bytes(b"\xff\xfb no frames" * 50)
    started = time.time()
    for attempt, pause in ((1, 60), (2, 600)):
        assert len(run(library)["failed"]) == 1
        row = track(library, "rock/a.mp3")
        assert (row.state, row.attempts, row.decoder) == ("failed", attempt, decoder_version())
        assert row.retry_at is not None
        assert started + pause <= row.retry_at <= time.time() + pause
        assert set(run(library)) == {"skipped", "done"}  # its time has not come
        come(library, "rock/a.mp3")
    assert len(run(library)["failed"]) == 1
    row = track(library, "rock/a.mp3")
    assert (row.state, row.attempts, row.retry_at) == ("failed", 3, None)
    assert run(library)["skipped"][0].reason == row.reason
    assert path.exists()
    assert json.loads(library.paths.quarantine.read_text())["path"] == "rock/a.mp3"


@pytest.mark.parametrize("change", ["touch", "content", "decoder", "person"])
def test_a_file_set_aside_is_tried_again_when_something_changes(library: Library, change: str) -> None:
    path = library.root / "rock/a.mp3"
    path.write_bytes(b"\xff\xfb no frames" * 50)
    scan(library)
    number = track(library, "rock/a.mp3").id
    library.ledger.update_track(number, state="failed", attempts=3, decoder=decoder_version())
    if change == "touch":
        os.utime(path)
    elif change == "content":
        write(path, tone(0.5))
    elif change == "decoder":
        library.ledger.update_track(number, decoder="0, av 1.0")
    else:
        assert [one.id for one in retry(library, [path])[0]] == [number]
    events = run(library)
    assert [event.path for event in events["ready" if change == "content" else "failed"]] == ["rock/a.mp3"]
    assert track(library, "rock/a.mp3").attempts == (0 if change == "content" else 1)


def test_waiting_for_a_trouble_to_pass_grows_to_an_hour(library: Library) -> None:
    (library.root / "rock/a.mp3").write_bytes(b"x")
    scan(library)
    row, now = track(library, "rock/a.mp3"), 1000.0
    waits = []
    for _attempt in range(9):
        again = after_trouble(row, now)
        waits.append(round(again - now))
        row, now = replace(row, retry_at=again, changed=now), again + 5
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert [after_fault(attempts, 0.0) for attempts in (1, 2, 3, 4)] == [60.0, 600.0, None, None]


def test_the_person_asks_for_another_attempt(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "good"):
        (library.root / f"rock/{name}.mp3").write_bytes(f"{name} is no music".encode() * 50)
    scan(library)
    for row in library.ledger.tracks():
        library.ledger.update_track(row.id, state="ready" if row.path.stem == "good" else "failed")
    called = ["--library", str(library.root), "retry"]
    capsys.readouterr()
    assert main([*called, "--json", str(library.root / "rock/a.mp3")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"retried": [str(library.root / "rock/a.mp3")], "failed": [], "watched": False}
    assert track(library, "rock/a.mp3").state == "waiting"
    assert main([*called, str(library.root / "rock/good.mp3"), str(library.root / "rock/b.mp3")]) == 1
    assert "did not fail" in capsys.readouterr().err
    assert track(library, "rock/b.mp3").state == "waiting"
    for name in ("a", "b"):
        library.ledger.update_track(track(library, f"rock/{name}.mp3").id, state="failed")
    assert main([*called, "--all"]) == 0
    assert "2 files are tried again" in capsys.readouterr().out
    assert main(called) == 2
    assert main([*called, "--all", "a.mp3"]) == 2


def test_a_running_engine_takes_up_what_is_asked_for_and_what_is_due(library: Library) -> None:
    (library.root / "rock/a.mp3").write_bytes(b"no music" * 50)
    with Engine(library) as engine:
        scan(library)
        events: list[str] = []

        def turn_until(condition: Callable[[], bool]) -> None:
            end = time.monotonic() + 20
            while not condition() and time.monotonic() < end:
                events.extend(event.event for event in (*engine.fill(), *engine.collect(0.1)))
                time.sleep(0.05)
            assert condition()

        turn_until(lambda: events.count("failed") == 1)
        come(library, "rock/a.mp3")
        turn_until(lambda: events.count("failed") == 2)
        with Library(library.root, library.settings) as other:
            retry(other)
        turn_until(lambda: events.count("failed") == 3)
        assert track(library, "rock/a.mp3").attempts == 1


# Own words


def _mp4(brand: bytes, index: bytes) -> bytes:
    def box(kind: bytes, data: bytes) -> bytes:
        return (8 + len(data)).to_bytes(4, "big") + kind + data

    return box(b"ftyp", brand + b"\0\0\0\0") + box(b"moov", index) + box(b"mdat", b"\0" * 64)


def _with_a_lock(path: Path) -> None:
    path.write_bytes(_mp4(b"M4P ", b"stsd drms sinf schm"))


def _cut_in_its_tags(path: Path) -> None:
    path.write_bytes(b"ID3\x03\0\0\x00\x02\x00\x00" + b"\0" * 1000)


def _cut_mp4(path: Path) -> None:
    write_av(path, tone(2.0), 44100, "ipod", "aac")
    path.write_bytes(path.read_bytes()[:4000])


def _video_without_sound(path: Path) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _number in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


OWN_WORDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "empty": ("a.mp3", lambda path: path.write_bytes(b"")),
    "nothing but zeros": ("a.mp3", lambda path: path.write_bytes(bytes(100_000))),
    "cannot be read as audio": ("a.mp3", lambda path: path.write_bytes(os.urandom(4000))),
    "playlist": ("a.mp3", lambda path: path.write_text("#EXTM3U\n/etc/passwd\n")),
    "web page": ("a.mp3", lambda path: path.write_text("<!DOCTYPE html><title>404</title>")),
    "archive": ("a.mp3", lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100))),
    "picture": ("a.flac", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))),
    "DRM": ("a.m4a", _with_a_lock),
    "its end is missing": ("a.m4a", _cut_mp4),
    "end is missing": ("a.mp3", _cut_in_its_tags),
    "only tags": ("a.mp3", lambda path: path.write_bytes(b"TAG" + bytes(125))),
    "no sound": ("a.mp4", _video_without_sound),
    "silent": ("a.flac", lambda path: write(path, 0 * tone(0.5))),
    "only 0.05 seconds": ("a.flac", lambda path: write(path, tone(0.05))),
}


def test_each_failure_has_its_own_words(library: Library) -> None:
    for number, (name, make) in enumerate(OWN_WORDS.values()):
        folder = library.root / f"rock/{number}"
        folder.mkdir()
        make(folder / name)
    failed = {event.path: event for event in run(library)["failed"]}
    for number, (words, (name, _make)) in enumerate(OWN_WORDS.items()):
        event = failed.pop(f"rock/{number}/{name}")
        assert words in event.reason
        assert event.hint
    assert not failed


def test_what_is_no_file_is_named_and_never_waited_for(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = library.root / "rock"
    os.mkfifo(folder / "pipe.mp3")
    with socket.socket(socket.AF_UNIX) as door, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        door.bind("door.mp3")
    (folder / "dangling.mp3").symlink_to("nowhere.mp3")
    (folder / "round.mp3").symlink_to("round.mp3")
    (folder / "zero.wav").symlink_to("/dev/zero")
    (folder / "linked.flac").symlink_to(folder, target_is_directory=True)
    (folder / "album.flac").mkdir()
    (folder / "live.wav").mkdir()
    write(folder / "live.wav/song.flac", tone(0.5))
    events = run(library)
    words = {
        "pipe.mp3": "pipe",
        "door.mp3": "socket",
        "dangling.mp3": "not there",
        "round.mp3": "not there",
        "zero.wav": "outside",
        "linked.flac": "link to a folder",
        "album.flac": "no music in it",
    }
    assert {event.path for event in events["failed"]} == {f"rock/{name}" for name in words}
    for event in events["failed"]:
        assert words[Path(event.path).name] in event.reason
        assert event.hint
    assert [event.path for event in events["ready"]] == ["rock/live.wav/song.flac"]
    named = {Path(one["path"]).name for one in library_status(library)["failed"]}
    assert named == set(words)
    assert main(["--library", str(library.root), "watch", "--once"]) == 1
    assert "pipe.mp3" in capsys.readouterr().err
    for name in words:
        path = folder / name
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    run(library)
    assert library_status(library)["failed"] == []


def test_a_pipe_under_a_files_name_is_not_opened_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp3")
    with pytest.raises(NotAFile):
        content_hash(tmp_path / "a.mp3")
    with pytest.raises(NotAFile):
        open_regular(tmp_path)


# Changes meanwhile


@pytest.mark.parametrize("what", ["removed", "replaced", "made a pipe"])
def test_a_file_that_goes_or_changes_while_it_is_read(library: Library, what: str) -> None:
    path = write(library.root / "rock/a.flac", tone(20.0))
    events: list[IntakeEvent] = []
    for event in run_once(library):
        events.append(event)
        if event.event == "working":
            path.unlink()
            if what == "replaced":
                write(path, tone(1.0))
            elif what == "made a pipe":
                os.mkfifo(path)
    assert not [event for event in events if event.event in ("ready", "failed")]
    assert not (library.root / "rock/a.wav").exists()
    assert track(library, "rock/a.flac").state == ("missing" if what == "removed" else "waiting")
    if what == "replaced":
        assert track(library, "rock/a.flac").retry_at is not None
        assert [event.path for event in run(library)["ready"]] == ["rock/a.flac"]
        assert track(library, "rock/a.flac").duration == pytest.approx(1.0)


def test_a_wav_that_was_made_when_the_work_is_stopped_is_no_track_of_its_own(library: Library) -> None:
    write(library.root / "rock/a.flac", tone(0.5))
    scan(library)
    with Engine(library) as engine:
        assert [event.event for event in engine.fill()] == ["working"]
        end = time.monotonic() + 20
        while not (library.root / "rock/a.wav").exists() and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)
    assert [event.path for event in run(library)["ready"]] == ["rock/a.flac"]
    assert len(library.ledger.tracks()) == 1


# Space


def test_estimates_of_space() -> None:
    settings = IntakeSettings(reserve_mib=1, max_minutes=1.0)
    assert wav_bytes(Path("a.wav"), 1000, settings) == 1500
    assert wav_bytes(Path("a.mp3"), 1000, settings) == 12_000
    assert wav_bytes(Path("a.mid"), 44, settings) > 10 << 20
    assert wav_bytes(Path("a.mp3"), 1 << 40, settings) == 60 * 44100 * 4
    assert reserve_bytes(Path("/"), settings) <= 1 << 20


def test_a_temporary_file_is_known_to_be_left_behind(tmp_path: Path) -> None:
    mine = tmp_path / f".musichelper-{os.getpid()}-0123456789ab.tmp"
    mine.touch()
    assert not is_left_behind(mine)
    os.utime(mine, (time.time() - 86400 * 300,) * 2)  # the process id has come again since
    assert is_left_behind(mine)
    gone = tmp_path / f".musichelper-{2**22 + 1}-0123456789ab.tmp"
    gone.touch()
    assert is_left_behind(gone)
    (tmp_path / "song.tmp").touch()
    assert not is_left_behind(tmp_path / "song.tmp")


def test_what_a_killed_program_left_in_its_own_folder_is_cleared(library: Library) -> None:
    left = library.paths.state / ".musichelper-99999999-abcdef.tmp"
    deeper = library.paths.clips / left.name
    deeper.parent.mkdir(exist_ok=True)
    for path in (left, deeper):
        path.write_text("{")
    mine = temporary_beside(library.paths.ledger)
    mine.write_text("{")
    list(run_once(library))
    assert [path.exists() for path in (left, deeper, mine)] == [False, False, True]
