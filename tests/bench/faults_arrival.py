"""How files arrive: nine ways, and twenty thousand at once while the watcher's reader is stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from assistant.library.library import Library
from tests.bench.fault_scenarios import Outcome, Scenario
from tests.bench.watcher_process import FILES, bare, folder, library_at, sounds, wait, watcher

FLOOD = 20_000


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
    with folder() as place, bare(place) as (process, root, seen):
        process.send_signal(signal.SIGSTOP)
        _make_flood(root)
        process.send_signal(signal.SIGCONT)
        time.sleep(8)
        return Outcome(FLOOD, len(seen()), "files told of")


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


def scenarios(*, quick: bool) -> list[Scenario]:
    """All, or only the ways of arrival that are most unlike."""
    ways = [way for way in _WAYS if not quick or way[1] in (_cp_r, _mv_folder, _rsync)]
    control = "watchdog's closed events only"
    return [
        *(
            Scenario(f"{FILES} files by {name}", _arrival(move), control, _closed_only(move))
            for name, move in ways
        ),
        Scenario(f"{FLOOD:,} files while the reader is stopped", _flood, "bare watchdog", _flood_bare),
    ]
