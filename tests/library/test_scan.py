"""The scan on real folders: what came, changed, moved and went."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.errors import MusicHelperError
from assistant.files import write_json
from assistant.library.library import Library, create_library
from assistant.library.scan import content_hash, display_name, scan


def put(library: Library, name: str, data: bytes = b"sound") -> Path:
    path = library.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def paths(library: Library, state: str | None = None) -> list[str]:
    return [display_name(track.path) for track in library.ledger.tracks(state=state)]


def test_a_file_comes_changes_moves_and_goes(library: Library) -> None:
    path = put(library, "rock/a.mp3")
    put(library, "unknow/deep/er/b.flac", b"other")
    put(library, "in the root.ogg", b"third")
    assert scan(library).added == 3
    assert paths(library, "waiting") == ["in the root.ogg", "rock/a.mp3", "unknow/deep/er/b.flac"]
    again = scan(library)
    assert (again.added, again.changed, again.unchanged) == (0, 0, 3)

    track = library.ledger.tracks(folder="rock")[0]
    assert track.content == content_hash(path)
    library.ledger.update_track(track.id, state="ready")
    path.write_bytes(b"sound of another kind")
    assert scan(library).changed == 1
    assert library.ledger.tracks(folder="rock")[0].state == "waiting"

    library.ledger.update_track(track.id, state="ready", title="kept")
    path.rename(library.root / "jazz/renamed.mp3")
    assert scan(library).moved == 1
    moved = library.ledger.tracks(folder="jazz")[0]
    assert (moved.id, moved.title, moved.state) == (track.id, "kept", "waiting")

    (library.root / "jazz/renamed.mp3").unlink()
    assert scan(library).missing == 1
    assert library.ledger.tracks(folder="jazz")[0].state == "missing"
    put(library, "blues/back.mp3", b"sound of another kind")
    assert scan(library).moved == 1
    assert library.ledger.tracks(folder="blues")[0].title == "kept"


def test_touching_a_ready_file_is_no_work(library: Library) -> None:
    path = put(library, "rock/a.mp3")
    scan(library)
    track = library.ledger.tracks()[0]
    library.ledger.update_track(track.id, state="ready")
    os.utime(path, (1, 1))
    assert scan(library).unchanged == 1
    assert library.ledger.tracks()[0].state == "ready"


def test_what_is_left_alone(library: Library, tmp_path: Path) -> None:
    for name in (
        ".hidden.mp3",
        "~x.mp3",
        "a.mp3.part",
        "a.mp3.crdownload",
        "notes.txt",
        "cover.jpg",
        "._b.wav",
    ):
        put(library, f"rock/{name}")
    put(library, "rock/.syncthing/c.mp3")
    put(library, ".musichelper/clips/d.wav")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "e.mp3").write_bytes(b"e")
    (library.root / "rock/folder").symlink_to(outside)
    (library.root / "rock/loop").symlink_to(library.root)
    (library.root / "rock/linked.mp3").symlink_to(outside / "e.mp3")
    (library.root / "rock/dangling.mp3").symlink_to(outside / "none.mp3")
    os.mkfifo(library.root / "rock/pipe.mp3")
    assert scan(library).added == 0


def test_our_own_wavs_are_no_music_of_the_person(library: Library) -> None:
    put(library, "rock/a.mp3")
    scan(library)
    track = library.ledger.tracks()[0]
    put(library, "rock/a.wav", b"made")
    library.ledger.update_track(track.id, state="ready", wav=Path("rock/a.wav"))
    put(library, "rock/b.wav", b"of the person")
    assert scan(library).added == 1
    assert paths(library) == ["rock/a.mp3", "rock/b.wav"]


def test_a_json_tells_where_the_ledger_is_lost(tmp_path: Path) -> None:
    library = create_library(tmp_path / "one")
    put(library, "rock/a.mp3")
    put(library, "rock/a.wav", b"made")
    write_json(library.root / "rock/a.json", {"musichelper": {"source": "a.mp3", "wav": "a.wav"}})
    put(library, "rock/orphan.wav", b"made, and its source deleted")
    write_json(library.root / "rock/orphan.json", {"musichelper": {"source": "o.mp3", "wav": "orphan.wav"}})
    put(library, "rock/theirs.wav", b"theirs")
    (library.root / "rock/theirs.json").write_text('{"musichelper": 3}')
    scan(library)
    assert paths(library) == ["rock/a.mp3", "rock/orphan.wav", "rock/theirs.wav"]


def test_names_that_are_no_unicode(library: Library) -> None:
    name = os.fsdecode(b"rock/caf\xe9 \xff.mp3")
    put(library, name)
    scan(library)
    track = library.ledger.tracks()[0]
    assert os.fsencode(track.path) == b"rock/caf\xe9 \xff.mp3"
    assert display_name(track.path) == r"rock/caf\xe9 \xff.mp3"
    assert scan(library).unchanged == 1


def test_equal_files_and_a_copy(library: Library) -> None:
    put(library, "rock/a.mp3")
    put(library, "jazz/a.mp3")
    assert scan(library).added == 2
    (library.root / "rock/a.mp3").rename(library.root / "rock/b.mp3")
    put(library, "pop/copy.mp3")
    result = scan(library)
    assert (result.moved, result.added, result.missing) == (1, 1, 0)


def test_stale_temporaries_are_swept(library: Library) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = put(library, f"rock/.musichelper-{ended.pid}-abc.tmp")
    living = put(library, f"rock/.musichelper-{os.getpid()}-abc.tmp")
    foreign = put(library, "rock/.other.tmp")
    scan(library)
    assert not stale.exists()
    assert living.exists()
    assert foreign.exists()


def test_a_file_in_the_making_is_held(library: Library) -> None:
    put(library, "rock/a.mp3")
    assert scan(library, hold=lambda path, stat: True).added == 0
    assert scan(library, hold=lambda path, stat: False).added == 1


def test_a_library_that_vanished_forgets_nothing(library: Library) -> None:
    put(library, "rock/a.mp3")
    scan(library)
    away = library.root.with_name("away")
    library.root.rename(away)
    with pytest.raises(MusicHelperError, match="not there"):
        scan(library)
    away.rename(library.root)
    assert scan(library).unchanged == 1


def test_thousands_of_files_are_quick(library: Library) -> None:
    for folder in range(10):
        place = library.root / "rock" / f"album {folder}"
        place.mkdir()
        for number in range(500):
            (place / f"{number}.mp3").write_bytes(b"%d %d" % (folder, number))
    started = time.monotonic()
    assert scan(library).added == 5_000
    first = time.monotonic() - started
    started = time.monotonic()
    assert scan(library).unchanged == 5_000
    assert time.monotonic() - started < 5
    assert first < 20
