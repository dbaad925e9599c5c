"""What goes on beside the keys while screens are measured: an intake, a scoring, a fine-tune, all real."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from assistant.library.library import Library, create_library
from assistant.musicgen.spec import FinetuneSpec
from assistant.runs.control import request
from assistant.runs.launch import start_finetune
from assistant.runs.record import RunRecord, read_run
from tests.bench.terminal import processes
from tests.tui.tui_library import write_tone

GENRES = ("blues", "jazz", "rock")
LINKS_A_FILE = 50_000
FIRST_NUMBER = 1000
STEPS = 1_000_000
SECONDS = 4.0
"""Long enough to be heard by the classifier."""
INTAKE_FILES, INTAKE_SECONDS = 12, 60.0
WORKER = b"assistant.classify.worker"


def prepare(root: Path, tracks: int) -> None:
    """A library with a trained classifier, a small model to tune, and so many tracks to label.

    All of those have a proposal, of an older version of the classifier than the one that is there.
    """
    script = (
        "import sys; from pathlib import Path; from assistant.library.library import create_library;"
        "from tests.musicgen.tiny_models import add_tracks, write_tiny_model;"
        "library = create_library(Path(sys.argv[1])); add_tracks(library, 12); write_tiny_model(library)"
    )
    here = Path(__file__).resolve().parents[2]
    quiet = {"check": True, "cwd": here, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, "-c", script, str(root)], **quiet)  # type: ignore[call-overload]
    train = [sys.executable, "-m", "assistant.cli", "--library", str(root), "classifier", "train"]
    subprocess.run(train, **quiet)  # type: ignore[call-overload]
    with create_library(root) as library:
        many_tracks(library, tracks)


def many_tracks(library: Library, number: int) -> None:
    """So many ready tracks without a genre, each with a proposal and a real file."""
    root, folder, now = library.root, library.root / library.unlabelled, time.time()
    rows, proposals = [], []
    original = folder / "original.wav"
    for place in range(number):
        path = folder / f"track {place:06d}.wav"
        if place % LINKS_A_FILE == 0:
            write_tone(path, 220.0 + place / 1000, seconds=SECONDS)
            original = path
        else:
            os.link(original, path)
        stat = original.stat()
        name, track = os.fsencode(path.relative_to(root)), FIRST_NUMBER + place
        rows.append((track, name, f"{place:032x}", stat.st_size, stat.st_mtime_ns, name, now, now))
        share = 0.35 + 0.6 * (place * 7919 % number) / number
        top = f'[["{GENRES[place % 3]}", {share}], ["{GENRES[(place + 1) % 3]}", {1 - share}]]'
        proposals.append((track, GENRES[place % 3], share, top, now + 1))
    database = library.ledger._database
    with library.ledger.transaction():
        database.executemany(
            "INSERT INTO tracks (id, path, content, size, mtime_ns, state, wav, duration, added, "
            f"changed) VALUES (?, ?, ?, ?, ?, 'ready', ?, {SECONDS}, ?, ?)",
            rows,
        )
        database.executemany(
            "INSERT INTO proposals (track, version, genre, probability, top, made) "
            "VALUES (?, 'v1', ?, ?, ?, ?)",
            proposals,
        )


@dataclass(frozen=True)
class Done:
    """How far all of it is."""

    ready: int
    scored: int
    steps: int
    worker_seconds: float
    """CPU time of the process that hears tracks."""

    def beyond(self, before: Done) -> bool:
        """Whether all of it has brought something."""
        return self.ready > before.ready and self.scored > before.scored and self.steps > before.steps

    def since(self, before: Done) -> str:
        """In a sentence."""
        return (
            f"meanwhile {self.ready - before.ready} files of {INTAKE_SECONDS:.0f} s were taken in, the "
            f"classifier computed for {self.worker_seconds - before.worker_seconds:.1f} s and proposed for "
            f"{self.scored - before.scored} tracks, and a fine-tune did {self.steps - before.steps} steps."
        )


class Load:
    """Starts all of it, and looks how far it is."""

    def __init__(self, root: Path, app: int) -> None:
        self._root, self._app = root, app
        self._files = 0
        self._run: RunRecord | None = None
        self._all_in = 0

    def begin(self, seconds: float = 120.0) -> None:
        """Start the fine-tune and the scoring, and wait until both compute. Raises `TimeoutError`."""
        spec = FinetuneSpec(
            name="beside", model="tiny", steps=STEPS, batch_size=4, crop_seconds=1.0, device="cpu",
            precision="float32", validate_every=500, checkpoint_every=1000, sample_every=0, patience=0,
        )  # fmt: skip
        with Library(self._root) as library:
            self._run = start_finetune(library, spec.check())
        self.take_in(2, seconds=1.0)  # what comes in last has the classifier hear all that it has not heard
        end = time.monotonic() + seconds
        while not (self.done().steps and self.done().worker_seconds > 1.0):
            if time.monotonic() > end:
                raise TimeoutError(f"the load does not begin: {self.done()}")
            time.sleep(0.2)

    def take_in(self, number: int = INTAKE_FILES, seconds: float = INTAKE_SECONDS) -> None:
        """Put new files into the folder, all at once."""
        aside = self._root.with_name("aside")
        for _file in range(number):
            self._files += 1
            name = f"new {os.getpid()}-{self._files}.wav"
            write_tone(aside / name, 300.0 + self._files, seconds=seconds)
        for path in aside.iterdir():
            path.rename(self._root / "jazz" / path.name)

    def keep_coming(self) -> None:
        """Put new files into the folder where those before are taken in."""
        ready = self.done().ready
        if ready >= self._all_in:
            self.take_in()
            self._all_in = ready + INTAKE_FILES

    def done(self) -> Done:
        """How far it is now."""
        with Library(self._root) as library:
            run = None if self._run is None else read_run(library, self._run.id)
            count = "SELECT count(*) FROM"
            database = library.ledger._database
            ready = database.execute(f"{count} tracks WHERE state = 'ready'").fetchone()[0]
            scored = database.execute(f"{count} proposals WHERE version != 'v1'").fetchone()[0]
        seconds = sum(process.seconds for process in processes(self._app) if WORKER in process.command)
        return Done(ready, scored, run.step if run else 0, seconds)

    def end(self) -> None:
        """Stop the fine-tune."""
        if self._run is not None:
            with Library(self._root) as library:
                request(library, self._run.id, "stop")
