"""The terminal app beside harlequin and posting: start, memory, bytes to the terminal, key latency.

    uv run python tests/bench/screens.py [--write] [--tracks N] [--keys N] [--peers FOLDER]

Each program draws on a pseudo-terminal of 120×40 and is measured from outside. The peers are installed with
`uv pip install` into environments of their own below FOLDER, and left out where that fails. A key's latency
is the time until the first byte of the answer. The lists that the keys go through: ours the labelling queue
with N tracks, harlequin's the result of `select * from range(N)`, posting's a collection of 200 requests.
Ours is measured once more while files come in: memory with the decoders, bytes on the page of the intake.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assistant.library.library import create_library
from tests.bench.results import save, table
from tests.bench.terminal import Terminal
from tests.tui.tui_library import write_tone

GENRES = ("blues", "jazz", "rock")
LINKS_A_FILE = 50_000
IDLE_SECONDS = 10.0
BUSY_FILES = 24
LABELS = 40
REQUESTS = 200
DOWN = b"\x1b[B"


@dataclass
class Result:
    """What was measured of one program."""

    name: str
    start: float = 0.0
    memory: int = 0
    idle: float = 0.0
    latencies: list[float] = field(default_factory=list)


def many_tracks(root: Path, number: int) -> None:
    """A library with so many ready tracks without a genre, each with a proposal and a real file."""
    with create_library(root) as library:
        folder, now = root / library.unlabelled, time.time()
        rows, proposals = [], []
        original = folder / "original.wav"
        for place in range(number):
            path = folder / f"track {place:06d}.wav"
            if place % LINKS_A_FILE == 0:
                write_tone(path, 220.0 + place / 1000, seconds=2.0)
                original = path
            else:
                os.link(original, path)
            stat = original.stat()
            name = os.fsencode(path.relative_to(root))
            rows.append((place + 1, name, f"{place:032x}", stat.st_size, stat.st_mtime_ns, name, now, now))
            share = 0.35 + 0.6 * (place * 7919 % number) / number
            top = f'[["{GENRES[place % 3]}", {share}], ["{GENRES[(place + 1) % 3]}", {1 - share}]]'
            proposals.append((place + 1, GENRES[place % 3], share, top, now + 1))
        database = library.ledger._database
        with library.ledger.transaction():
            database.executemany(
                "INSERT INTO tracks (id, path, content, size, mtime_ns, state, wav, duration, added, "
                "changed) VALUES (?, ?, ?, ?, ?, 'ready', ?, 2.0, ?, ?)",
                rows,
            )
            database.executemany(
                "INSERT INTO proposals (track, version, genre, probability, top, made) "
                "VALUES (?, 'v1', ?, ?, ?, ?)",
                proposals,
            )


def press(terminal: Terminal, key: bytes, times: int) -> list[float]:
    """Latencies of a key, each pressed when the answer to the one before has been written."""
    found = []
    for _number in range(times):
        found.append(terminal.answer(key))
        terminal.settle()
        time.sleep(0.02)
    return found


def measure(
    name: str,
    command: list[str],
    words: str,
    keys: int,
    *,
    prepare: Callable[[Terminal], None] = lambda _terminal: None,
    key: bytes = DOWN,
    environment: dict[str, str] | None = None,
) -> Result:
    """Start, memory, idle bytes and latency of a program; the best of three starts."""
    result = Result(name, start=float("inf"))
    for round_ in range(3):
        terminal = Terminal(command, environment)
        try:
            result.start = min(result.start, terminal.wait_for(words))
            if round_ < 2:
                continue
            rest(terminal)
            prepare(terminal)
            rest(terminal)
            result.memory = terminal.memory()
            result.idle = terminal.listen(IDLE_SECONDS) / IDLE_SECONDS
            result.latencies = press(terminal, key, keys)
        finally:
            terminal.close()
    say(result)
    return result


def say(result: Result) -> None:
    """Tell how far it is."""
    worst = max(result.latencies, default=0.0)
    words = f"{result.name}: {result.start:.2f} s, {result.idle:.0f} B/s, worst {worst:.3f} s"
    print(time.strftime("%H:%M:%S"), words, file=sys.stderr, flush=True)


def rest(terminal: Terminal) -> None:
    """Wait until it has nothing more to draw; a blinking cursor never has."""
    terminal.settle(quiet=0.7, most=5.0)


def ours(folder: Path, tracks: int, keys: int) -> tuple[Result, Result, float]:
    """Our app idle and busy, and labels a minute by a script."""
    root = folder / "music"
    many_tracks(root, tracks)
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    command = [sys.executable, "-m", "tui", str(root)]

    def queue(terminal: Terminal) -> None:
        terminal.send(b"\x1bOS")
        terminal.wait_for("labelled", 90.0)

    idle = measure("musichelper", command, "In the folder", keys, prepare=queue, key=b"n", environment=home)
    busy = Result("musichelper, files coming in")
    terminal = Terminal(command, home)
    try:
        busy.start = terminal.wait_for("In the folder")
        terminal.wait_for("watching", 120.0)
        queue(terminal)
        rest(terminal)
        for number in range(BUSY_FILES):
            write_tone(root / "jazz" / f"new {number}.wav", 300.0 + number, seconds=60.0)
        busy.latencies = press(terminal, b"n", keys)
        busy.memory = terminal.memory()
        terminal.send(b"\x1bOR")  # F3: the intake, where most is drawn
        rest(terminal)
        for number in range(BUSY_FILES, 2 * BUSY_FILES):
            write_tone(root / "jazz" / f"new {number}.wav", 300.0 + number, seconds=60.0)
        busy.idle = terminal.listen(IDLE_SECONDS) / IDLE_SECONDS
        terminal.send(b"\x1bOS")
        rest(terminal)
        say(busy)
        labels = label_by_script(terminal)
    finally:
        terminal.close()
    return idle, busy, labels


def label_by_script(terminal: Terminal) -> float:
    """Labels a minute where each key is pressed as soon as the next track may be decided."""
    began = time.monotonic()
    for _number in range(LABELS):
        terminal.text = b""
        terminal.send(b"\r")
        end = time.monotonic() + 10.0
        while b"labelled" not in terminal.text and time.monotonic() < end:
            terminal.read(0.02)
        terminal.settle(quiet=0.16, most=1.0)  # the guard against keys that were typed ahead
    return LABELS / (time.monotonic() - began) * 60


def peer(folder: Path, name: str) -> str | None:
    """The program of a peer, installed on first use; None where it cannot be."""
    place = folder / name
    program = place / "bin" / name
    packages = ["posting", "tree-sitter>=0.25,<0.26"] if name == "posting" else [name]  # 0.26 crashes it
    if not program.exists():
        for command in (
            ["uv", "venv", "--python", sys.executable, str(place)],
            ["uv", "pip", "install", "--python", str(place / "bin" / "python"), *packages],
        ):
            if shutil.which("uv") is None or subprocess.run(command, check=False).returncode:
                return None
    return str(program)


def harlequin(program: str, folder: Path, tracks: int, keys: int) -> Result:
    """Its table of results."""

    def query(terminal: Terminal) -> None:
        terminal.send(f"select * from range({tracks})".encode())
        terminal.settle(quiet=0.5, most=3.0)
        terminal.send(b"\n")
        rest(terminal)
        rest(terminal)
        terminal.send(b"\x1b[15~")  # F5: the results
        terminal.settle(quiet=0.5, most=3.0)

    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    command = [program, "--no-download-tzdata", "--limit", str(tracks)]
    return measure("harlequin", command, "Query Editor", keys, prepare=query, environment=home)


def posting(program: str, folder: Path, keys: int) -> Result:
    """A collection of requests."""
    requests = folder / "collection"
    requests.mkdir()
    for number in range(REQUESTS):
        text = f"name: request {number:03d}\nmethod: GET\nurl: http://127.0.0.1/{number}\n"
        (requests / f"request-{number:03d}.posting.yaml").write_text(text, "utf-8")
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}

    def tree(terminal: Terminal) -> None:
        terminal.send(b"\t\t")
        terminal.settle(quiet=0.5, most=3.0)

    command = [program, "--collection", str(requests)]
    return measure("posting", command, "Collection", keys, prepare=tree, environment=home)


def percentile(values: list[float], share: float) -> float:
    """A value that so many are at most."""
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


def main() -> None:
    """Measure, print, and with `--write` keep the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "musichelper-peers")
    called = parser.parse_args()
    missing = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        idle, busy, labels = ours(folder, called.tracks, called.keys)
        results = [idle, busy]
        for name in ("harlequin", "posting"):
            program = peer(called.peers, name)
            if program is None:
                missing.append(name)
                continue
            place = folder / name
            place.mkdir()
            try:
                if name == "harlequin":
                    results.append(harlequin(program, place, called.tracks, called.keys))
                else:
                    results.append(posting(program, place, called.keys))
            except TimeoutError as error:
                missing.append(f"{name} (waited in vain for {error})")
    rows = [
        [
            one.name,
            f"{one.start:.2f} ({one.start / idle.start:.1f}×)",
            f"{one.memory / 2**20:.0f} ({one.memory / idle.memory:.1f}×)",
            f"{one.idle:,.0f}",
            f"{statistics.median(one.latencies) * 1000:.0f}",
            f"{percentile(one.latencies, 0.99) * 1000:.0f}",
            f"{max(one.latencies) * 1000:.0f}",
        ]
        for one in results
    ]
    heads = ["program", "first screen s", "memory MiB", "bytes/s", "key p50 ms", "p99", "worst"]
    text = table(heads, rows)
    text += f"\n{called.tracks:,} tracks; {called.keys} keys. Labels a minute by a script: {labels:.0f}.\n"
    if missing:
        text += f"Not measured: {', '.join(missing)}.\n"
    print(text)
    if called.write:
        save("The screens", text)


if __name__ == "__main__":
    main()
