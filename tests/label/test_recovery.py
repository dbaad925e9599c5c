"""Killed at any step, a decision is finished or taken back, and each file exists exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from assistant.files import is_temporary
from assistant.label.decisions import Labeller
from assistant.library.ledger import Track
from assistant.library.library import Library, create_library

NAMES = ("song.mp3", "song.wav", "song.txt", "song.json")
SAME_DISK_STEPS = 1 + 4 + 1 + 1 + 1  # planned, four moves, row, caption, done
OTHER_DISK_STEPS = 1 + 4 * 3 + 1 + 1 + 1  # each move also: copied, copy named

CHILD = """
import errno, json, os, signal, sys
from pathlib import Path
from assistant.label.decisions import Labeller
from assistant.library import moves
from assistant.library.library import Library

root, job, die_at, other_disk = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "other"
if other_disk:
    rename = moves.rename_to_free_name
    def across(origin, target):
        if origin.parent != target.parent:
            raise OSError(errno.EXDEV, "other disk")
        rename(origin, target)
    moves.rename_to_free_name = across

count = 0
def on_step(name):
    global count
    if count == die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1

def rewrite(library, track):
    (library.root / track.info).write_text(json.dumps({"genre": library.genre_of(track.path)}))

library = Library(root)
labeller = Labeller(library, rewrite=rewrite, on_step=on_step)
getattr(labeller, job)(*(json.loads(sys.argv[5])))
print(count)
"""


def rewrite(library: Library, track: Track) -> None:
    assert track.info
    (library.root / track.info).write_text(json.dumps({"genre": library.genre_of(track.path)}))


def make_library(root: Path) -> Library:
    library = create_library(root)
    for name in NAMES:
        (root / "unknow" / name).write_text(name)
    track = library.ledger.add_track(Path("unknow/song.mp3"), "c", 8, 1)
    library.ledger.update_track(
        track.id,
        state="ready",
        wav=Path("unknow/song.wav"),
        caption=Path("unknow/song.txt"),
        info=Path("unknow/song.json"),
    )
    return library


def child(root: Path, job: str, die_at: int, disk: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(root), job, str(die_at), disk, json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def files(root: Path) -> list[Path]:
    found = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return sorted(path for path in found if path.parts[0] != ".musichelper")


def check_whole(library: Library, genre: str | None) -> None:
    folder = genre or "unknow"
    assert files(library.root) == sorted(Path(folder, name) for name in NAMES)
    track = library.ledger.tracks()[0]
    paths = [track.path, track.wav, track.caption, track.info]
    assert paths == [Path(folder, name) for name in NAMES]
    assert (library.root / folder / "song.mp3").read_text() == "song.mp3"
    assert (library.root / folder / "song.wav").read_text() == "song.wav"


@pytest.mark.parametrize(("disk", "steps"), [("same", SAME_DISK_STEPS), ("other", OTHER_DISK_STEPS)])
def test_killed_while_labelling(tmp_path: Path, disk: str, steps: int) -> None:
    libraries = [make_library(tmp_path / str(step)) for step in range(steps + 1)]
    children = [child(lib.root, "label", n, disk, 1, "jazz") for n, lib in enumerate(libraries)]
    codes = [process.wait(60) for process in children]
    assert codes == [-signal.SIGKILL] * steps + [0], "the steps of a decision are not what was counted"

    for step, library in enumerate(libraries):
        planned = library.ledger.decisions(states=("planned",))
        assert len(planned) == (1 if step < steps - 1 else 0)
        # Nothing is lost at any moment, and what is there twice is the same.
        present = Counter(p.name for p in files(library.root) if not is_temporary(p.name))
        assert set(present) == set(NAMES)
        assert Labeller(library, rewrite=rewrite).recover() == len(planned)
        check_whole(library, "jazz")
        assert json.loads((library.root / "jazz/song.json").read_text()) == {"genre": "jazz"}
        assert [d.state for d in library.ledger.decisions(states=("planned", "done"))] == ["done"]
        assert Labeller(library, rewrite=rewrite).undo()
        check_whole(library, None)


@pytest.mark.parametrize(("disk", "steps"), [("same", SAME_DISK_STEPS), ("other", OTHER_DISK_STEPS)])
def test_killed_while_undoing(tmp_path: Path, disk: str, steps: int) -> None:
    libraries = [make_library(tmp_path / str(step)) for step in range(steps)]
    for library in libraries:
        Labeller(library, rewrite=rewrite).label(1, "jazz")
    children = [child(lib.root, "undo", n, disk) for n, lib in enumerate(libraries)]
    assert [process.wait(60) for process in children] == [-signal.SIGKILL] * steps
    for library in libraries:
        labeller = Labeller(library, rewrite=rewrite)
        # No call of recover: the next thing done begins with it.
        assert labeller.undo() is None
        check_whole(library, None)
        assert json.loads((library.root / "unknow/song.json").read_text()) == {"genre": None}
        assert labeller.redo()
        check_whole(library, "jazz")


def test_a_crash_whose_target_has_been_taken_is_taken_back(tmp_path: Path) -> None:
    library = make_library(tmp_path)
    process = child(tmp_path, "label", 2, "same", 1, "jazz")
    assert process.wait(60) == -signal.SIGKILL
    (tmp_path / "jazz/song.json").write_text("of another")
    labeller = Labeller(library, rewrite=rewrite)
    assert labeller.recover() == 1
    assert len(labeller.problems) == 1
    (tmp_path / "jazz/song.json").unlink()
    check_whole(library, None)
    assert labeller.recover() == 0


def test_two_processes_wait_for_each_other(tmp_path: Path) -> None:
    library = make_library(tmp_path)
    jobs = [child(tmp_path, "label", -1, "same", 1, genre) for genre in ("jazz", "rock", "pop", "metal")]
    assert [process.wait(60) for process in jobs] == [0] * 4
    assert len(library.ledger.decisions()) == 4
    last = library.ledger.decisions(newest_first=True)[0]
    check_whole(library, last.genre_to)
    assert os.listdir(tmp_path / "unknow") == []
