"""Faults of watching: how files arrive, lost notices, blind folders, dead threads, limits, unmounting.

Part of `intake_faults.py`; alone: `uv run python -m tests.bench.faults_watch [PART OF A NAME]`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from assistant.intake.watch import watch_state
from assistant.library.library import Library, create_library
from tests.bench.fault_scenarios import Outcome, Scenario
from tests.bench.results import table

CHECKOUT = Path(__file__).parents[2]
FILES = 100
FLOOD = 20_000

# The watcher's own process: arguments are the library, seconds between scans, what to do at first, and what
# to do with what is found ("convert" or "ledger").
_WATCHER = """
import json, os, signal, sys, threading
from pathlib import Path
from assistant.config import IntakeSettings, Settings
from assistant.intake import watch as watching
from assistant.library.library import Library
root, seconds, first, convert = sys.argv[1:]
exec(first)
if convert == "ledger":
    class Idle(watching.Engine):
        def look(self): pass
        def fill(self): return iter(())
    watching.Engine = Idle
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_arguments: stop.set())
intake = IntakeSettings(quiet_seconds=1.0, patience_seconds=10.0, scan_seconds=float(seconds))
settings = Settings(intake=intake)
with Library(Path(root), settings) as library:
    for event in watching.watch(library, stop):
        if event.event in ("ready", "failed", "paused", "resumed"):
            print(json.dumps(event.as_dict()), flush=True)
"""

# Bare watchdog: counts the files that it tells of, until the process is ended.
_BARE = """
import os, signal, sys, threading
from watchdog.observers import Observer
from watchdog.events import *
import warnings
warnings.simplefilter("ignore")
root, out = sys.argv[1:3]
seen = set()
class Handler(FileSystemEventHandler):
    def on_any_event(self, event):
        for path in (event.src_path, event.dest_path):
            if path and not event.is_directory:
                seen.add(os.fsencode(path))
observer = Observer()
observer.schedule(Handler(), root, recursive=True, event_filter=[
    FileCreatedEvent, FileMovedEvent, FileClosedEvent, FileDeletedEvent,
    DirCreatedEvent, DirMovedEvent, DirDeletedEvent])
observer.start()
exec(sys.argv[3] if len(sys.argv) > 3 else "")
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_arguments: stop.set())
open(out, "wb").close()
stop.wait()
open(out, "wb").write(b"\\0".join(seen))
os._exit(0)
"""

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


class Watcher:
    """A watcher in a process of its own."""

    def __init__(
        self,
        root: Path,
        *,
        scan_seconds: float = 60.0,
        first: str = "",
        convert: bool = True,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        arguments = [str(root), str(scan_seconds), first, "convert" if convert else "ledger"]
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", _WATCHER, *arguments],
            stdout=self._log,
            stderr=subprocess.DEVNULL,
            cwd=CHECKOUT,
        )

    def state(self) -> dict[str, Any]:
        with Library(self.root) as library:
            return watch_state(library)

    def events(self) -> list[dict[str, Any]]:
        text = os.pread(self._log.fileno(), 1 << 28, 0).decode()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def ready(self) -> Counter[str]:
        return Counter(event["path"] for event in self.events() if event["event"] == "ready")

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder on a real disk, resolved."""
    path = Path(tempfile.mkdtemp(prefix="faults-")).resolve()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def watcher(root: Path, **how: Any) -> Iterator[Watcher]:
    """A watcher that has scanned for the first time."""
    found = Watcher(root, **how)
    try:
        wait(lambda: found.state().get("canary") == "ok" or found.state().get("blind"), 30)
        yield found
    finally:
        found.end()


def wait(condition: Callable[[], Any], seconds: float) -> bool:
    """Whether it held within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def library_at(root: Path) -> Path:
    """A new library."""
    create_library(root).close()
    return root


def sounds(place: Path, count: int = FILES) -> list[Path]:
    """Short WAVs, no two alike."""
    place.mkdir(parents=True, exist_ok=True)
    moments = np.arange(round(0.2 * 8000)) / 8000
    made = []
    for number in range(count):
        path = place / f"{number:03d}.wav"
        soundfile.write(path, 0.2 * np.sin(2 * np.pi * (200 + number) * moments), 8000)
        made.append(path)
    return made


# Nine ways of arrival


def _cp(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        subprocess.run(["cp", path, target], check=True)


def _cp_r(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", source, target], check=True)


def _mv(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        subprocess.run(["mv", path, target], check=True)


def _mv_folder(source: Path, target: Path) -> None:
    subprocess.run(["mv", source, target], check=True)


def _ln(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        subprocess.run(["ln", path, target], check=True)


def _rsync(source: Path, target: Path) -> None:
    if shutil.which("rsync"):
        subprocess.run(["rsync", "-a", f"{source}/", target], check=True)
        return
    for path in sorted(source.iterdir()):  # what rsync does: a hidden name, then the times, then a rename
        temporary = target / f".{path.name}.Xy12Zq"
        shutil.copyfile(path, temporary)
        shutil.copystat(path, temporary)
        temporary.rename(target / path.name)


def _tar(source: Path, target: Path) -> None:
    archive = source.with_suffix(".tar")
    subprocess.run(["tar", "-C", source, "-cf", archive, "."], check=True)
    subprocess.run(["tar", "-C", target, "-xf", archive], check=True)


def _unzip(source: Path, target: Path) -> None:
    archive = source.with_suffix(".zip")
    shutil.make_archive(str(source), "zip", source)
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-q", archive, "-d", target], check=True)
    else:
        shutil.unpack_archive(archive, target)


def _scp(source: Path, target: Path) -> None:
    """All at once, under their own names, in pieces with pauses."""
    files = [
        (path.read_bytes(), (target / path.name).open("wb", buffering=0)) for path in sorted(source.iterdir())
    ]
    pieces = 8
    for piece in range(pieces):
        for data, file in files:
            step = -(-len(data) // pieces)
            file.write(data[piece * step : (piece + 1) * step])
        time.sleep(0.4)
    for _data, file in files:
        file.close()


def _arrival(move: Callable[[Path, Path], None], wanted: str = "rock") -> Callable[[], Outcome]:
    def run() -> Outcome:
        with folder() as place:
            root = library_at(place / "library")
            sounds(place / "album")
            with watcher(root) as found:
                began = time.monotonic()
                move(place / "album", root / "rock")
                wait(lambda: sum(found.ready().values()) >= FILES, 120)
                took = time.monotonic() - began
                time.sleep(3)
                ready, state = found.ready(), found.state()
                failed = sum(event["event"] == "failed" for event in found.events())
            once = sum(number == 1 for number in ready.values())
            twice = sum(number > 1 for number in ready.values())
            return Outcome(
                FILES,
                once,
                f"{twice} twice, {failed} failed, {state['missed']} missed by notices, {took:.0f} s",
            )

    return run


def _closed_only(move: Callable[[Path, Path], None]) -> Callable[[], Outcome]:
    """The files for which watchdog says that they were closed, which many a watcher waits for."""

    def run() -> Outcome:
        from watchdog.events import FileClosedEvent, FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        seen: Counter[str] = Counter()

        class Handler(FileSystemEventHandler):
            def on_closed(self, event: FileSystemEvent) -> None:
                if os.fsdecode(event.src_path).endswith(".wav") and "/." not in os.fsdecode(event.src_path):
                    seen[os.fsdecode(event.src_path)] += 1

        with folder() as place:
            (place / "rock").mkdir()
            sounds(place / "elsewhere/album")
            observer = Observer()
            observer.schedule(Handler(), str(place / "rock"), recursive=True, event_filter=[FileClosedEvent])
            observer.start()
            move(place / "elsewhere/album", place / "rock")
            time.sleep(1.5)
            observer.stop()
            observer.join()
        return Outcome(
            FILES, sum(number == 1 for number in seen.values()), f"{sum(n > 1 for n in seen.values())} twice"
        )

    return run


# Lost notices


def _flood() -> Outcome:
    with folder() as place:
        root = library_at(place / "library")
        with watcher(root, convert=False) as found:
            found.process.send_signal(signal.SIGSTOP)
            _make_flood(root / "rock")
            found.process.send_signal(signal.SIGCONT)
            began = time.monotonic()
            with Library(root) as library:
                wait(lambda: library.ledger.count("tracks") >= FLOOD, 90)
                took = time.monotonic() - began
                rows = library.ledger.count("tracks")
            wait(lambda: found.state().get("overflows"), 10)
            time.sleep(6)
            state = found.state()
        return Outcome(
            FLOOD,
            rows,
            f"rows in the ledger, nothing converted; {state['overflows']} overflow, {state['missed']} missed "
            f"by notices, {state['scans']} scans, {took:.0f} s",
        )


def _make_flood(place: Path) -> None:
    for number in range(FLOOD):
        with (place / f"{number:05d}.wav").open("wb") as file:
            file.write(number.to_bytes(4, "big"))


def _flood_bare() -> Outcome:
    with folder() as place, _bare(place) as (process, root, seen):
        process.send_signal(signal.SIGSTOP)
        _make_flood(root)
        process.send_signal(signal.SIGCONT)
        time.sleep(8)
        return Outcome(FLOOD, len(seen()), "files told of")


@contextmanager
def _bare(
    place: Path, first: str = ""
) -> Iterator[tuple[subprocess.Popen[bytes], Path, Callable[[], set[bytes]]]]:
    """Bare watchdog on a folder below `place`; the function ends it and gives the paths it told of."""
    root, out = place / "tree", place / "seen"
    root.mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", _BARE, root, out, first], stderr=subprocess.DEVNULL)
    wait(out.exists, 20)

    def seen() -> set[bytes]:
        process.terminate()
        process.wait(20)
        return {path for path in out.read_bytes().split(b"\0") if path}

    try:
        yield process, root, seen
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


# Churn


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
        with _bare(place) as (_process, root, seen):
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
_DIE_BARE = _DIE  # its methods are looked up at each event


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
        with _bare(place, _DIE_BARE) as (_process, root, seen):
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
_LIMIT_BARE = "pass"


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
            ["unshare", "-Ur", sys.executable, "-c", f"{limit}\n{_BARE}", root, out],
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
command = [sys.executable, "-c", sys.argv[3], str(root), "60", "", "ledger"]
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
        process = subprocess.Popen(
            ["unshare", "-Urm", sys.executable, "-c", _UNMOUNT, place, marks, _WATCHER],
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


_WAYS: list[tuple[str, Callable[[Path, Path], None]]] = [
    ("cp", _cp),
    ("cp -r", _cp_r),
    ("mv", _mv),
    ("mv of a folder", _mv_folder),
    ("ln", _ln),
    ("rsync" if shutil.which("rsync") else "the steps of rsync (itself not here)", _rsync),
    ("tar", _tar),
    ("unzip", _unzip),
    ("scp-like slow write", _scp),
]

SCENARIOS: list[Scenario] = [
    *(
        Scenario(
            f"{FILES} files by {name}", _arrival(move), "watchdog's closed events only", _closed_only(move)
        )
        for name, move in _WAYS
    ),
    Scenario(f"{FLOOD:,} files while the reader is stopped", _flood, "bare watchdog", _flood_bare),
    Scenario("1,000 folders with churn, then a file in each", _churned, "bare watchdog", _churned_bare),
    Scenario("a dead watcher thread", _dead_thread, "bare watchdog", _dead_thread_bare),
    Scenario("the watch limit at 50, 100 folders", _limited, "bare watchdog", _limited_bare),
    Scenario("the root unmounted and mounted again", _unmounted),
]


def scenarios(*, quick: bool) -> list[Scenario]:
    """All, or without most ways of arrival."""
    left_out = {
        f"{FILES} files by {name}" for name in ("cp", "mv", "ln", "tar", "unzip", "scp-like slow write")
    }
    return [scenario for scenario in SCENARIOS if not quick or scenario.name not in left_out]


def main() -> None:
    """Run the scenarios whose names contain the argument."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    rows = []
    for scenario in SCENARIOS:
        if part in scenario.name:
            began = time.monotonic()
            outcome = scenario.run()
            took = time.monotonic() - began
            control = scenario.control() if scenario.control else None
            shown = (
                f"{control.found} of {control.expected} ({scenario.control_name}; {control.detail})"
                if control
                else "–"
            )
            rows.append(
                [
                    scenario.name,
                    f"{outcome.found} of {outcome.expected}",
                    outcome.detail,
                    shown,
                    f"{took:.0f} s",
                ]
            )
            print(table(["Fault", "Came through", "Seen", "Control", "Took"], rows[-1:]), flush=True)
    print(table(["Fault", "Came through", "Seen", "Control", "Took"], rows))


if __name__ == "__main__":
    main()
