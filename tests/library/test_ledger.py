"""The ledger: rows, names of any bytes, several writers, sudden death."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.errors import MusicHelperError
from assistant.library import ledger as ledger_module
from assistant.library.ledger import Ledger, Proposal
from assistant.library.library import Library


def test_tracks_keep_names_that_are_no_utf8(library: Library) -> None:
    path = Path("blues") / os.fsdecode(b"caf\xe9 [x]\n.mp3")
    track = library.ledger.add_track(path, "00", 1, 2)
    library.ledger.update_track(track.id, state="ready", wav=path.with_suffix(".wav"), duration=2.5)
    found = library.ledger.track_at(path.with_suffix(".wav"))
    assert found is not None
    assert (found.path, found.state, found.duration) == (path, "ready", 2.5)


def test_a_folder_holds_only_its_own_tracks(library: Library) -> None:
    for name in ("pop/a.mp3", "pop/live/b.mp3", "pop0/c.mp3", "popular/d.mp3", "e.mp3"):
        library.ledger.add_track(Path(name), "00", 1, 2)
    assert [str(track.path) for track in library.ledger.tracks(folder="pop")] == [
        "pop/a.mp3",
        "pop/live/b.mp3",
    ]
    folders = {folder: number for folder, _state, number, _seconds in library.ledger.counts()}
    assert folders == {"": 1, "pop": 2, "pop0": 1, "popular": 1}


def test_a_decision_remembers_the_proposal(library: Library) -> None:
    track = library.ledger.add_track(Path("unknow/a.mp3"), "00", 1, 2)
    proposal = Proposal(track.id, "v1", "jazz", 0.75, [("jazz", 0.75), ("blues", 0.25)], 1.0)
    library.ledger.set_proposals([proposal])
    assert library.ledger.proposal(track.id) == proposal
    library.ledger.remove_track(track.id)
    assert library.ledger.proposals() == {}


def test_a_proposal_may_be_of_a_folder_whose_name_is_no_utf_8(library: Library) -> None:
    track = library.ledger.add_track(Path("unknow/a.mp3"), "00", 1, 2)
    genre = os.fsdecode(b"caf\xe9")
    proposal = Proposal(track.id, "v1", genre, 0.9, [(genre, 0.9), ("jazz", 0.1)], 1.0)
    library.ledger.set_proposals([proposal])
    assert library.ledger.proposal(track.id) == proposal


def test_what_wants_a_proposal_is_ready_without_a_genre_and_not_heard_since(library: Library) -> None:
    ledger = library.ledger
    names = ("unknow/new.wav", "unknow/old.wav", "unknow/changed.wav", "unknow/heard.wav", "root.wav",
             "jazz/labelled.wav", "unknow/waits.wav", "unknowable/other.wav")  # fmt: skip
    tracks = {name: ledger.add_track(Path(name), "00", 1, 2).id for name in names}
    for name, number in tracks.items():
        if "waits" not in name:
            ledger.update_track(number, state="ready", wav=Path(name))
    later = time.time() + 100
    made = {"old": ("v1", later), "changed": ("v2", 1.0), "heard": ("v2", later), "labelled": ("v1", later)}
    ledger.set_proposals(
        Proposal(tracks[name], version, "jazz", 0.9, [("jazz", 0.9)], moment)
        for name in names
        for word, (version, moment) in made.items()
        if word in name
    )
    wanted = ["root.wav", "unknow/changed.wav", "unknow/new.wav", "unknow/old.wav"]
    assert ledger.unproposed_tracks("v2", "unknow") == [tracks[name] for name in wanted]
    assert ledger.waiting_counts("unknow", "v2") == (5, 3, 2)
    some = [tracks["unknow/old.wav"], tracks["unknow/new.wav"]]
    assert list(ledger.proposals(some)) == [tracks["unknow/old.wav"]]
    assert ledger.proposals([]) == {}


def test_tracks_are_found_by_their_numbers_the_last_changed_first(library: Library) -> None:
    numbers = [library.ledger.add_track(Path(f"{name}.mp3"), "00", 1, 2).id for name in "abc"]
    library.ledger.update_track(numbers[0], state="failed")
    assert library.ledger.recent_track_numbers() == [numbers[0], numbers[2], numbers[1]]
    assert library.ledger.recent_track_numbers(state="failed") == numbers[:1]
    found = library.ledger.tracks_numbered([numbers[1], 99])
    assert [track.path.name for track in found] == ["b.mp3"]


def test_a_failed_transaction_leaves_nothing(library: Library) -> None:
    with pytest.raises(RuntimeError), library.ledger.transaction():
        library.ledger.add_track(Path("a.mp3"), "00", 1, 2)
        raise RuntimeError
    assert library.ledger.tracks() == []


def _add_many(path: Path, start: int) -> None:
    ledger = Ledger(path)
    for number in range(start, start + 50):
        ledger.add_track(Path(f"{number}.mp3"), "00", 1, 2)
    ledger.close()


def test_processes_write_at_once_into_a_ledger_that_they_make(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_many, args=(path, 50 * i)) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert len(Ledger(path).tracks()) == 200


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    code = (
        "import sys; from pathlib import Path; from assistant.library.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for number in range(10**6):\n"
        "    print(ledger.add_track(Path(f'{number}.mp3'), '00', 1, 2).path, flush=True)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _line in range(30):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    acknowledged = 30 + len(writer.stdout.read().splitlines())
    writer.wait()
    ledger = Ledger(path)
    assert ledger.integrity() == "ok"
    assert len(ledger.tracks()) >= acknowledged - 1  # the last line may be torn


def test_a_ledger_of_the_future_or_of_garbage_is_explained(tmp_path: Path) -> None:
    future = tmp_path / "future.db"
    database = sqlite3.connect(future)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(MusicHelperError, match="newer"):
        Ledger(future)
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"no database at all" * 100)
    with pytest.raises(MusicHelperError, match="cannot be opened"):
        Ledger(garbage)


def test_a_ledger_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    database = sqlite3.connect(path)
    database.executescript((Path(ledger_module.__file__).parent / "schema" / "1.sql").read_text("utf-8"))
    database.execute(
        "INSERT INTO tracks (path, content, size, mtime_ns, state, added, changed) "
        "VALUES (x'61', 'c0', 1, 2, 'failed', 3, 4)"
    )
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    ledger = Ledger(path)
    (track,) = ledger.tracks()
    assert (track.path, track.state, track.retry_at, track.decoder) == (Path("a"), "failed", None, "")
    ledger.close()
    assert Ledger(path).tracks() == [track]
