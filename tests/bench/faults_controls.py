"""What plain tools make of the same faults: a program for each file, a plain pool, one process for all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import soundfile

from assistant.audio.render import find_soundfont
from tests.bench import hostile
from tests.bench.fault_library import song
from tests.bench.fault_scenarios import Outcome
from tests.bench.watcher_process import CHECKOUT

FFMPEG = shutil.which("ffmpeg") is not None
FLUIDSYNTH = shutil.which("fluidsynth") is not None
_PATIENCE = 5.0

# A pool of processes


def _convert(source: Path) -> None:
    samples, rate = soundfile.read(source)
    soundfile.write(source.with_suffix(".wav"), samples, rate)


def _die(number: int) -> None:
    os.kill(os.getpid(), number)


def pool_that_loses_a_process(files: int, number: int = signal.SIGKILL) -> Outcome:
    """A plain pool of two, one of whose processes dies of a signal after the first file."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ProcessPoolExecutor(2) as pool:
        songs = [song(Path(folder, f"{name}.flac"), name) for name in range(files)]
        pool.submit(_convert, songs[0]).result()
        pool.submit(_die, number)
        work: list[Future[None]] = []
        for path in songs[1:]:
            try:
                work.append(pool.submit(_convert, path))
            except RuntimeError:  # it takes no more
                break
        done = 1 + sum(future.exception() is None for future in work)
    return Outcome(files, done, "1 process lost")


# Files that do harm

_IN_ONE_PROCESS = """
import random, sys, tempfile
from pathlib import Path
import av
from tests.bench.hostile import mutated, seeds
with tempfile.TemporaryDirectory() as name:
    originals = [path for path in seeds(Path(name)) if path.suffix != ".mid"]
    for number in range(int(sys.argv[1])):
        source = originals[number % len(originals)]
        path = Path(name, f"now{source.suffix}")
        path.write_bytes(mutated(source.read_bytes(), random.Random(number)))
        try:
            with av.open(str(path)) as file:
                for frame in file.decode(audio=0):
                    frame.to_ndarray()
        except Exception:
            pass  # a file that is refused costs nothing; one that ends the process is what is counted
        print(number, flush=True)
"""


def mutated_files_in_one_process(count: int, patience: float = 60.0) -> Outcome:
    """Damaged files through PyAV in one process without a guard: how far it gets."""
    call = [sys.executable, "-c", _IN_ONE_PROCESS, str(count)]
    last, heard = -1, time.monotonic()
    with subprocess.Popen(
        call, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None

        def mind() -> None:
            while process.poll() is None:
                if time.monotonic() - heard > patience:
                    process.kill()
                time.sleep(0.5)

        threading.Thread(target=mind, daemon=True).start()
        for line in process.stdout:
            last, heard = int(line), time.monotonic()
    status = process.wait()
    how = (
        "to the end"
        if status == 0
        else f"ended by {signal.Signals(-status).name}"
        if status < 0
        else "failed"
    )
    return Outcome(count, last + 1, how)


def endless_midi_with_fluidsynth(patience: float = 20.0) -> Outcome:
    """What fluidsynth makes of 44 bytes in so many seconds."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        path = Path(folder, "a.mid")
        path.write_bytes(hostile.endless_midi())
        written, ended = _written(
            ["fluidsynth", "-ni", "-q", "-T", "raw", "-F", "-", str(find_soundfont("")), str(path)], patience
        )
    state = "ended" if ended else f"went on after {patience:.0f} s"
    return Outcome(1, int(ended and written < 1e9), f"{state}, wrote {written / 1e6:.0f} MB")


def flac_bomb_with_ffmpeg(hours: float = 6.0) -> Outcome:
    """What ffmpeg makes of a small FLAC of many hours of silence."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        path = Path(folder, "a.flac")
        path.write_bytes(hostile.bomb(hours))
        written, _ended = _written(["ffmpeg", "-v", "quiet", "-i", str(path), "-f", "wav", "-"], 600)
    return Outcome(1, int(written < 1e9), f"wrote {written / 1e9:.2f} GB")


def _written(call: list[str], patience: float) -> tuple[int, bool]:
    """Bytes on standard output, and whether it came to an end by itself in time."""
    total, end = 0, time.monotonic() + patience
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while block := process.stdout.read(1 << 20):
            total += len(block)
            if time.monotonic() > end:
                process.kill()
                return total, False
    return total, True


def odd_entries_with_ffmpeg() -> Outcome:
    """Each entry by its own ffmpeg: refused, converted, or waited for."""
    seen = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        hostile.odd_entries(folder)
        entries = sorted(folder.iterdir())
        for number, path in enumerate(entries):
            seen[_by_ffmpeg(path, folder / f"{number}.wav")] += 1
    words = ", ".join(f"{number} {kind}" for kind, number in sorted(seen.items()))
    return Outcome(len(entries), len(entries) - seen["waited for"], words)


def bad_among_good_with_ffmpeg(bad: int, good: int) -> Outcome:
    """Whole files and random bytes, each by its own ffmpeg."""
    right = made = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        for genre in ("rock", "jazz"):
            (folder / genre).mkdir()
        hostile.bad_among_good(folder, bad, good)
        for path in sorted(folder.glob("*/*")):
            target = path.with_suffix(".wav")
            kind = _by_ffmpeg(path, target)
            if path.suffix == ".flac":
                whole = (
                    kind == "converted" and abs(soundfile.info(target).duration - hostile.GOOD_SECONDS) < 0.01
                )
                right += whole
            else:
                right += kind == "refused" and not target.exists()
                made += target.exists()
    return Outcome(bad + good, right, f"{made} WAVs of random bytes")


def _by_ffmpeg(source: Path, target: Path) -> str:
    call = ["ffmpeg", "-v", "quiet", "-nostdin", "-y", "-i", str(source), str(target)]
    try:
        done = subprocess.run(call, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return "waited for"
    return "refused" if done.returncode else "converted"
