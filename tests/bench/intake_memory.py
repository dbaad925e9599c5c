"""Memory of the whole intake for few and for many files: `uv run python tests/bench/intake_memory.py`.

`--tracks N` also measures `status` and a scan that finds nothing new with N rows in the ledger;
`--write` puts the tables into RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import soundfile

from assistant.config import IntakeSettings, Settings
from assistant.library.library import create_library
from tests.bench.results import save, table
from tests.made_sounds import tone

_SETTINGS = Settings(intake=IntakeSettings(workers=2, reserve_mib=1))
_CONFIG = "[intake]\nworkers = 2\nreserve_mib = 1\n"
_SUFFIXES = ("wav", "flac", "mp3")
_ALL_AT_ONCE = """
import soundfile, sys
from pathlib import Path
sounds = [(path, *soundfile.read(path)) for path in sorted(Path(sys.argv[1]).rglob("*.*"))]
for path, samples, rate in sounds:
    soundfile.write(f"{path}.wav", samples, rate)
print(len(sounds))
"""
"""The control: everything is read, then everything written."""


def make_files(root: Path, count: int) -> None:
    """Small files of their own content, in folders of two hundred."""
    sound = tone(0.3)
    for number in range(count):
        sound[:100, 0] = np.random.default_rng(number).normal(size=100) * 0.1
        folder = root / "rock" / str(number // 200)
        how = {"subtype": "PCM_24"} if number % 3 == 0 else {}
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number}.{_SUFFIXES[number % 3]}", sound, 44100, **how)


def peak_of(call: list[str]) -> tuple[float, float, float, str]:
    """MiB at most of the process and of it with its children at one time, seconds, and what it printed."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(call, stdout=out, stderr=subprocess.DEVNULL)
        alone = together = 0.0
        while process.poll() is None:
            sizes = _resident(process.pid)
            alone = max(alone, sizes.get(process.pid, 0.0))
            together = max(together, sum(sizes.values()))
            time.sleep(0.05)
        took = time.monotonic() - started
        out.seek(0)
        return alone, together, took, out.read()


def _resident(parent: int) -> dict[int, float]:
    """MiB of memory of a process and its children; pages that they share count in parts."""
    found: dict[int, float] = {}
    try:
        children = Path(f"/proc/{parent}/task")
        pids = {parent}
        for task in children.iterdir():
            pids |= {int(pid) for pid in (task / "children").read_text().split()}
    except OSError:
        return found
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        found[pid] = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return found


def intake(count: int) -> list[object]:
    """A row: files, ready, peaks, seconds, files a second."""
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        folder = Path(name)
        (folder / "config.toml").write_text(_CONFIG)
        with create_library(folder / "library", _SETTINGS) as library:
            make_files(library.root, count)
            call = [sys.executable, "-m", "assistant.cli", "--config", str(folder / "config.toml")]
            alone, together, took, out = peak_of(
                [*call, "--library", str(library.root), "watch", "--once", "--json"]
            )
            ready = sum(json.loads(line)["event"] == "ready" for line in out.splitlines())
    return _row("musichelper", count, ready, alone, together, took)


def all_at_once(count: int) -> list[object]:
    """The row of the control, which only converts."""
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        make_files(Path(name), count)
        alone, together, took, out = peak_of([sys.executable, "-c", _ALL_AT_ONCE, name])
    return _row("soundfile, all in a list", count, int(out), alone, together, took)


def _row(by: str, count: int, ready: int, alone: float, together: float, took: float) -> list[object]:
    return [
        by,
        f"{count:,}",
        f"{ready:,}",
        f"{alone:.0f}",
        f"{together:.0f}",
        f"{took:.0f}",
        f"{count / took:.1f}",
    ]


def many_tracks(count: int) -> list[list[object]]:
    """Rows: `status` and a scan that finds nothing new, with so many tracks."""
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        folder = Path(name)
        (folder / "config.toml").write_text(_CONFIG)
        with create_library(folder / "library", _SETTINGS) as library, library.ledger.transaction():
            for number in range(count):
                if number % 500 == 0:
                    (library.root / f"rock/{number // 500}").mkdir()
                path = Path(f"rock/{number // 500}/{number}.mp3")
                file = library.root / path
                file.touch()
                track = library.ledger.add_track(path, f"{number:032x}", 0, file.stat().st_mtime_ns)
                state = "failed" if number % 100 == 0 else "ready"
                values = {"reason": "It is bad."} if state == "failed" else {"wav": path.with_suffix(".wav")}
                library.ledger.update_track(track.id, state=state, attempts=3, duration=100.0, **values)
        call = [sys.executable, "-m", "assistant.cli", "--config", str(folder / "config.toml")]
        rows: list[list[object]] = []
        code = (
            "import sys, time, resource\nfrom pathlib import Path\n"
            "from assistant.library.library import Library\nfrom assistant.library.scan import scan\n"
            "with Library(Path(sys.argv[1])) as library:\n"
            " started = time.monotonic()\n result = scan(library)\n"
            " print(f'{time.monotonic() - started:.2f} {result.unchanged}')"
        )
        status = [*call, "--library", str(folder / "library"), "status", "--json"]
        looking = [sys.executable, "-c", code, str(folder / "library")]
        for words, run in (
            ("status --json, the whole program", status),
            ("scan, the whole program", looking),
            ("control: `find` telling size and time", ["find", str(folder), "-printf", "%s %T@\n"]),
        ):
            alone, _together, took, out = peak_of(run)
            last = out.strip().splitlines()[-1] if out.strip() else "failed"
            detail = f", {last.split()[0]} s of it the scan" if words.startswith("scan") else ""
            rows.append([f"{words}{detail}", f"{count:,}", f"{took:.2f}", f"{alone:.0f}"])
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="*", default=[200, 5000])
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    os.environ["MUSICHELPER_LANGUAGE"] = "en"
    text = ""
    if arguments.files:
        headers = (
            "by",
            "files",
            "ready",
            "peak of the program, MiB",
            "with its decoders, MiB",
            "seconds",
            "files/s",
        )
        text += (
            table(headers, [way(count) for way in (intake, all_at_once) for count in arguments.files]) + "\n"
        )
        print(text, flush=True)
    if arguments.tracks:
        more = table(("what", "tracks", "seconds", "peak, MiB"), many_tracks(arguments.tracks))
        print(more)
        text += more
    if arguments.write:
        save("intake_memory", text)


if __name__ == "__main__":
    main()
