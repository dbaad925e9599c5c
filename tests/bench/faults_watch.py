"""Faults of watching: blind folders, dead threads, limits, unmounting."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from assistant.intake.watch import watch_state
from assistant.library.library import Library
from tests.bench.fault_scenarios import Outcome, Scenario
from tests.bench.watcher_process import (
    BARE,
    CHECKOUT,
    FILES,
    WATCHER,
    bare,
    folder,
    library_at,
    sounds,
    wait,
    watcher,
)

_CHURN = """
import os, random, shutil, sys
root, seed = sys.argv[1], int(sys.argv[2])
choose = random.Random(seed)
for turn in range(150):
    with_children = os.path.join(root, choose.choice([name for name in os.listdir(root) if name[0] != "."]))
    other = os.path.join(root, f"t{seed}-{turn}")
    try:
        names = os.listdir(with_children)
        one = os.path.join(with_children, choose.choice(names))
        os.rename(one, other)
        os.makedirs(os.path.join(other, "x", "y"))
        os.rename(other, one)
        os.rename(with_children, other)
        os.makedirs(os.path.join(other, f"new{turn}", "z"))
        os.rename(other, with_children)
        if turn % 3 == 0:
            shutil.rmtree(os.path.join(with_children, choose.choice(names)))
        elif turn % 3 == 1:
            shutil.rmtree(one)
            os.makedirs(os.path.join(one, "q"))
    except (OSError, IndexError):
        pass
"""


def _grow(root: Path) -> None:
    for group in range(20):
        for number in range(50):
            (root / f"g{group}" / f"d{number}").mkdir(parents=True)


def _churn(root: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", _CHURN, root, str(seed)]) for seed in (1, 2)]
    for process in both:
        process.wait()


def _folders(root: Path) -> list[Path]:
    found = []
    for place, names, _files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".")]
        found.append(Path(place))
    return found


def _churned() -> Outcome:
    """A file in each folder after one scan; each must be told of, so that the scan finds nothing missed."""
    with folder() as place:
        root = library_at(place / "library")
        _grow(root)
        with watcher(root, convert=False, scan_seconds=600.0) as found:
            _churn(root)
            before = found.state()["scans"]
            wait(lambda: found.state()["scans"] > before, 30)  # the one that the notices ask for
            time.sleep(8)  # and the second look at folders that seemed blind
            state = found.state()
            folders = _folders(root)
            for number, path in enumerate(folders):
                (path / "probe.wav").write_bytes(number.to_bytes(4, "big"))
            with Library(root) as library:
                wait(lambda: library.ledger.count("tracks") >= len(folders), 60)
                rows = library.ledger.count("tracks")
            time.sleep(6)
            after = found.state()
        return Outcome(
            len(folders),
            len(folders) - after["missed"] - (len(folders) - rows),
            f"folders whose file was told of; {rows} in the ledger, {state['rebuilds']} new observers, "
            f"{after['watches']} watches",
        )


def _churned_bare() -> Outcome:
    with folder() as place:
        (place / "tree").mkdir()
        _grow(place / "tree")
        with bare(place) as (_process, root, seen):
            _churn(root)
            time.sleep(6)
            folders = _folders(root)
            for path in folders:
                (path / "probe.wav").touch()
            time.sleep(3)
            told = seen()
            return Outcome(
                len(folders), sum(os.fsencode(path / "probe.wav") in told for path in folders), "folders"
            )


# A dead thread

_DIE = """
import watchdog.observers.inotify_c as part
_handle = part.InotifyFD.handle_event
def handle(self, event):
    if event.name == b"die":
        raise KeyError("injected")
    return _handle(self, event)
part.InotifyFD.handle_event = handle
"""


def _dead_thread() -> Outcome:
    with folder() as place:
        root = library_at(place / "library")
        made = sounds(place / "album")
        with watcher(root, first=_DIE, convert=False, scan_seconds=600.0) as found:
            (root / "die").touch()
            began = time.monotonic()
            time.sleep(0.3)
            for path in made[:50]:
                shutil.copy(path, root / "rock")
            wait(lambda: found.state()["rebuilds"], 15)
            replaced = time.monotonic() - began
            for path in made[50:]:
                shutil.copy(path, root / "jazz")
            with Library(root) as library:
                wait(lambda: library.ledger.count("tracks") >= FILES, 40)
                rows = library.ledger.count("tracks")
            state = found.state()
        return Outcome(FILES, rows, f"replaced within {replaced:.1f} s; {state['rebuilds']} new observer")


def _dead_thread_bare() -> Outcome:
    with folder() as place:
        made = sounds(place / "album")
        with bare(place, _DIE) as (_process, root, seen):
            (root / "die").touch()
            time.sleep(0.3)
            for path in made:
                shutil.copy(path, root)
            time.sleep(3)
            return Outcome(
                FILES,
                sum(path.endswith(b".wav") for path in seen()),
                "files told of; `is_alive()` stays true",
            )


# The limit of watches

_LIMIT = 'Path("/proc/sys/user/max_inotify_watches").write_text("50")'


def _limited() -> Outcome:
    with folder() as place:
        root = library_at(place / "library")
        for number in range(FILES):
            (root / "rock" / str(number)).mkdir()
        with watcher(root, first=_LIMIT, convert=False, prefix=("unshare", "-Ur")) as found:
            wait(lambda: found.state().get("blind"), 20)
            state = found.state()
            for number, path in enumerate(sounds(place / "album")):
                shutil.copy(path, root / "rock" / str(number))
            with Library(root) as library:
                wait(lambda: library.ledger.count("tracks") >= FILES, 60)
                rows = library.ledger.count("tracks")
        return Outcome(
            FILES, rows, f"{state['watches']} of {state['watch_limit']} watches; “{state['note']}”"
        )


def _limited_bare() -> Outcome:
    with folder() as place:
        root, out = place / "tree", place / "seen"
        for number in range(FILES):
            (root / str(number)).mkdir(parents=True)
        limit = 'open("/proc/sys/user/max_inotify_watches", "w").write("50")'
        process = subprocess.Popen(
            ["unshare", "-Ur", sys.executable, "-c", f"{limit}\n{BARE}", root, out],
            stderr=subprocess.DEVNULL,
        )
        try:
            wait(out.exists, 20)
            for number, path in enumerate(sounds(place / "album")):
                shutil.copy(path, root / str(number))
            time.sleep(3)
            process.terminate()
            process.wait(20)
        finally:
            process.kill()
        told = {path for path in out.read_bytes().split(b"\0") if path.endswith(b".wav")}
        return Outcome(FILES, len(told), "files told of; no error, no log")


# A disk that goes away and comes back

_UNMOUNT = """
import os, subprocess, sys, time
from pathlib import Path
place, marks = Path(sys.argv[1]), Path(sys.argv[2])
root, disk = place / "library", place / "disk"
def mount():
    subprocess.run(["mount", "--bind", disk, root], check=True)
def said(name, seconds=60):
    end = time.monotonic() + seconds
    while not (marks / name).exists() and time.monotonic() < end:
        time.sleep(0.05)
mount()
command = [sys.executable, "-c", *sys.argv[3:]]
watcher = subprocess.Popen(command, stdout=open(marks / "log", "w"))
(marks / "mounted").touch()
said("unmount"); subprocess.run(["umount", "-l", root], check=True); (marks / "unmounted").touch()
said("mount"); mount(); (marks / "again").touch()
said("end"); watcher.terminate(); watcher.wait(15)
"""


def _unmounted() -> Outcome:
    with folder() as place:
        disk, root, marks = library_at(place / "disk"), place / "library", place / "marks"
        root.mkdir()
        marks.mkdir()
        made = sounds(place / "album")
        for path in made[:50]:
            shutil.copy(path, disk / "rock")
        call = ["unshare", "-Urm", sys.executable, "-c", _UNMOUNT, str(place), str(marks)]
        process = subprocess.Popen(
            [*call, WATCHER, str(root), "60", "", "ledger"],
            cwd=CHECKOUT,
            stderr=subprocess.DEVNULL,
        )

        def counts() -> dict[str, int]:
            with Library(disk) as library:
                return {
                    state: number
                    for state in ("waiting", "missing")
                    if (number := len(library.ledger.tracks(state=state)))
                }

        def said(name: str) -> None:
            wait((marks / name).exists, 30)

        try:
            said("mounted")
            wait(lambda: counts().get("waiting") == 50, 30)
            (marks / "unmount").touch()
            said("unmounted")
            with Library(root) as library:
                wait(lambda: watch_state(library).get("trouble"), 15)
                note = watch_state(library).get("note", "nothing said")
            time.sleep(3)
            left = list(root.iterdir())
            away = counts()
            for path in made[50:]:
                shutil.copy(path, disk / "jazz")
            (marks / "mount").touch()
            said("again")
            wait(lambda: counts().get("waiting", 0) == FILES, 40)
            rows = counts()
        finally:
            (marks / "end").touch()
            process.wait(60)
        return Outcome(
            FILES,
            rows.get("waiting", 0),
            f"{away.get('missing', 0)} called missing and {len(left)} files made while away; "
            f"“{note.replace(str(root), 'ROOT')}”",
        )


def _unmounted_mirror() -> Outcome:
    """What a plain comparison makes of the empty place: a mirror that is brought up to date meanwhile."""
    with folder() as place:
        disk, root, mirror = (place / name for name in ("disk", "library", "mirror"))
        for path in (disk, root, mirror):
            path.mkdir()
        sounds(disk, 50)
        code = (
            'mount --bind "$1" "$2" && rsync -a "$2/" "$3" && umount -l "$2" && rsync -a --delete "$2/" "$3"'
        )
        subprocess.run(["unshare", "-Urm", "sh", "-c", code, "sh", disk, root, mirror], check=True)
        return Outcome(50, len(list(mirror.iterdir())), "kept while away")


def scenarios(*, quick: bool) -> list[Scenario]:
    """The same ones in a quick run."""
    return [
        Scenario("1,000 folders with churn, then a file in each", _churned, "bare watchdog", _churned_bare),
        Scenario("a dead watcher thread", _dead_thread, "bare watchdog", _dead_thread_bare),
        Scenario("the watch limit at 50, 100 folders", _limited, "bare watchdog", _limited_bare),
        Scenario("the root unmounted and mounted again", _unmounted, "rsync --delete", _unmounted_mirror),
    ]
