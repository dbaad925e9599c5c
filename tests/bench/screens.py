"""The terminal app beside harlequin and posting: start, memory, bytes to the terminal, key latency.

    uv run python tests/bench/screens.py [--write] [--tracks N] [--keys N] [--folder DIR] [PART…]

Each program draws on a pseudo-terminal of 120×40 and is measured from outside. The peers are installed with
`uv pip install` into environments of their own, and left out where that fails. The lists that the keys go
through: ours the labelling queue with N tracks, harlequin's the result of `select * from range(N)`, posting's
a collection of 200 requests. A key's latency is the time until the answer is there: for ours until the screen
shows the next track's number, which nothing else changes; for the peers until the first byte.

Ours is measured once more while files come in, all tracks are scored anew and a fine-tune computes on the
same processors. Parts (idle, busy, harlequin, posting) that are not named are taken from the last time in
`--folder`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.results import save, table
from tests.bench.screen_load import Load, prepare
from tests.bench.screen_measure import Result, measure, press, rest, say
from tests.bench.screen_peers import of_peer
from tests.bench.terminal import Terminal

PAGE_SECONDS, BUSY_SECONDS = 2.0, 8.0
LOADED_SECONDS = 120.0
"""So long at most keys are pressed until files are in, proposals written and steps done."""
LABELS = 25
PAGES = {
    "home": b"\x1bOQ", "intake": b"\x1bOR", "label": b"\x1bOS", "train": b"\x1b[15~",
    "generate": b"\x1b[17~", "runs": b"\x1b[18~", "settings": b"\x1b[19~",
}  # fmt: skip
PARTS = ("idle", "busy", "harlequin", "posting")


@dataclass(frozen=True)
class Ours:
    """Our app on a library in a folder."""

    folder: Path
    tracks: int
    keys: int

    @property
    def root(self) -> Path:
        """The library; made when it is not there yet."""
        root = self.folder / "music"
        if not root.exists():
            prepare(root, self.tracks)
        return root

    @property
    def home(self) -> dict[str, str]:
        """Nothing of the person at the keyboard."""
        return {
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "MUSICHELPER_LANGUAGE": "en",
        }

    @property
    def command(self) -> list[str]:
        """How it is started."""
        return [sys.executable, "-m", "tui", str(self.root)]

    def queue(self, terminal: Terminal) -> None:
        """Go to labelling, at its beginning."""
        terminal.send(PAGES["label"])
        terminal.wait_for("labelled", 90.0)

    def answer(self, terminal: Terminal) -> Callable[[int], str]:
        """What stands there after a key that browses."""
        words = next(line for line in terminal.text.splitlines() if " labelled" in line).split("│")[-2]
        place, _of, total = words.split()[:3]
        return lambda number: f"{int(place) + number + 1} of {total}"

    def idle(self) -> Result:
        """With nothing else going on: also each page, and labels by a script."""
        answers: list[Callable[[int], str]] = []

        def prepared(terminal: Terminal) -> None:
            self.queue(terminal)
            answers.append(self.answer(terminal))

        def after(terminal: Terminal, result: Result) -> None:
            for page, key in PAGES.items():
                terminal.send(key)
                rest(terminal)
                result.pages[page] = terminal.listen(PAGE_SECONDS) / PAGE_SECONDS
            self.queue(terminal)
            rest(terminal)
            result.words = f"Labels a minute by a script: {label_by_script(terminal):.0f}."

        return measure(
            "musichelper",
            self.command,
            "In the folder",
            self.keys,
            prepare=prepared,
            key=b"n",
            answer=lambda number: answers[0](number),
            after=after,
            environment=self.home,
        )

    def busy(self) -> Result:
        """While files come in, tracks are scored and a fine-tune goes on."""
        result = Result("musichelper, files coming in, scoring, a run")
        terminal = Terminal(self.command, self.home)
        load = Load(self.root, terminal.pid)
        try:
            result.start = terminal.wait_for("In the folder")
            terminal.wait_for("watching", 120.0)
            load.begin()
            self.queue(terminal)
            terminal.settle(quiet=0.3, most=3.0)
            before, end = load.done(), time.monotonic() + LOADED_SECONDS
            while not load.done().beyond(before) and time.monotonic() < end:
                load.keep_coming()
                result.latencies += press(terminal, b"n", self.keys, self.answer(terminal))
            result.memory = terminal.memory()
            for page in ("intake", "train"):
                terminal.send(PAGES[page])
                terminal.settle(quiet=0.3, most=3.0)
                result.pages[page] = terminal.listen(BUSY_SECONDS) / BUSY_SECONDS
            result.idle = max(result.pages.values())
            result.words = f"Busy, {len(result.latencies)} keys: {load.done().since(before)}"
        finally:
            load.end()
            terminal.close()
        say(result)
        return result


def label_by_script(terminal: Terminal) -> float:
    """Labels a minute where each key is pressed as soon as the next track may be decided."""
    began = time.monotonic()
    for number in range(1, LABELS + 1):
        terminal.send(b"\r")
        terminal.wait_for(f"{number} labelled", 10.0)
        terminal.settle(quiet=0.2, most=1.0)  # the guard against keys that were typed ahead
    return LABELS / (time.monotonic() - began) * 60


def percentile(values: list[float], share: float) -> float:
    """A value that so many are at most."""
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


def page_words(results: dict[str, Result]) -> list[str]:
    """Bytes of pages, in sentences."""
    lines = []
    for part, when in (("idle", "Idle"), ("busy", "With all of that")):
        if part in results:
            pages = ", ".join(f"{page} {rate:,.0f}" for page, rate in results[part].pages.items())
            lines.append(f"{when}, bytes a second: {pages}.")
    return lines


def main() -> None:
    """Measure, print, and with `--write` keep the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--prepare", action="store_true", help="only make the library")
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="keep libraries, peers and results there")
    called = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (called.folder or Path(temporary)).absolute()
        folder.mkdir(exist_ok=True, parents=True)
        ours = Ours(folder, called.tracks, called.keys)
        if called.prepare:
            print(ours.root)
            return
        results, missing = measured(called.parts or PARTS, ours)
    first = results["idle"]
    rows = [
        [
            one.name,
            f"{one.start:.2f} ({one.start / first.start:.1f}×)",
            f"{one.memory / 2**20:.0f} ({one.memory / first.memory:.1f}×)",
            f"{one.idle:,.0f}",
            f"{statistics.median(one.latencies) * 1000:.0f}",
            f"{percentile(one.latencies, 0.99) * 1000:.0f}",
            f"{max(one.latencies) * 1000:.0f}",
        ]
        for one in results.values()
    ]
    heads = ["program", "first screen s", "memory MiB", "bytes/s", "key p50 ms", "p99", "worst"]
    lines = [
        f"{called.tracks:,} tracks; {called.keys} keys, more where it is said.",
        *(one.words for one in results.values()),
    ]
    lines += page_words(results)
    if missing:
        lines.append(f"Not measured: {', '.join(missing)}.")
    text = table(heads, rows) + "\n" + "\n".join(line for line in lines if line) + "\n"
    print(text)
    if called.write:
        save("The screens", text)


def measured(parts: Sequence[str], ours: Ours) -> tuple[dict[str, Result], list[str]]:
    """The results by part, old ones where a part is not asked for, and what could not be measured."""
    kept, missing = ours.folder / "results.json", []
    known = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    of_ours = {"idle": ours.idle, "busy": ours.busy}
    for part in parts:
        try:
            if part in of_ours:
                result: Result | None = of_ours[part]()
            else:
                result = of_peer(part, ours.folder / "peers", ours.tracks, ours.keys)
        except TimeoutError as error:
            print(error, file=sys.stderr)
            result = None
        if result is None:
            missing.append(part)
        else:
            known[part] = asdict(result)
        kept.write_text(json.dumps(known), "utf-8")
    return {part: Result(**known[part]) for part in PARTS if part in known}, missing


if __name__ == "__main__":
    main()
