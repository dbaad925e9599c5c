"""MFCC of many tracks: the classic tutorials' way (librosa, a pool of threads, JSON) against ours.

    uv run python tests/bench/features.py [--write] [--parts 30 240 memory] [--tracks FOLDER] [--repeats N]

The tracks are WAV files of 44.1 kHz, stereo, as intake makes them, each put together from stretches of 30 s
of the music of the folder; those of 4 min from eight, as there are not so many long pieces. The other way
loads each track with librosa, takes the MFCC of its 3 s segments with librosa in a pool of threads, and dumps
one indented JSON; ours writes arrays. Each runs in a process of its own, so that the peak of memory is its
own; both have the same number of threads; they take turns, and the fastest of each counts. CPU seconds tell
more than the clock where the machine is shared. Ours is flushed to the disk when it is done, the JSON need
not be.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile

from assistant.classify.process import ENVIRONMENT
from tests.bench.results import save, table

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "music"
RATE, SECONDS = 22_050, 3
FILE_RATE, STRETCH = 44_100, 30
TRACKS = 100
MEMORY_TRACKS = (10, 25, 50, 100)


def tutorial(paths: list[Path], out: Path, threads: int) -> None:
    """librosa and a pool of threads over segments, one JSON."""
    import librosa

    length = RATE * SECONDS

    def mfcc(segment: np.ndarray[Any, Any]) -> list[list[float]]:
        found = librosa.feature.mfcc(y=segment, sr=RATE, n_mfcc=13, n_fft=2048, hop_length=512)
        rows: list[list[float]] = found.T.tolist()
        return rows

    mfcc(np.ones(length, np.float32))  # its parts are loaded lazily, which threads must not do at once
    data: dict[str, Any] = {"mapping": [], "labels": [], "mfcc": []}
    with ThreadPoolExecutor(threads) as pool:
        for number, path in enumerate(paths):
            samples, _rate = librosa.load(path, sr=RATE)
            segments = [samples[s : s + length] for s in range(0, len(samples) - length + 1, length)]
            found = list(pool.map(mfcc, segments))
            data["mfcc"] += found
            data["labels"] += [number] * len(found)
    with out.open("w") as file:
        json.dump(data, file, indent=4)


def ours(paths: list[Path], out: Path, threads: int) -> None:
    """As the classifier's worker does it."""
    from assistant.classify.features import FeatureSpec, Source, extract_all

    sources = [Source(path, path.stem) for path in paths]
    for _place, _features in extract_all(sources, FeatureSpec("mfcc"), out, threads):
        pass  # a silent track is an error in its place


def child(way: str, paths: list[Path], out: Path, threads: int) -> None:
    """Do it here, and print seconds, CPU seconds and the peak of memory in MiB."""
    work = {"tutorial": tutorial, "ours": ours}[way]
    with tempfile.TemporaryDirectory() as folder:
        work(paths[:1], Path(folder, "warm"), threads)  # importing is not counted
    started, used = time.perf_counter(), time.process_time()
    work(paths, out, threads)
    print(json.dumps([time.perf_counter() - started, time.process_time() - used, _peak()]))


def _peak() -> float:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def measured(way: str, paths: list[Path], out: Path, threads: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds and MiB of a way in a process of its own."""
    command = [sys.executable, __file__, "--child", way, "--out", str(out), "--threads", str(threads)]
    environment = {**os.environ, **(ENVIRONMENT if way == "ours" else {})}
    found = subprocess.run(
        command,
        input="\n".join(map(str, paths)),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, cpu, peak = json.loads(found.stdout.splitlines()[-1])
    return seconds, cpu, peak


def make_tracks(folder: Path, into: Path, seconds: int) -> list[Path]:
    """Stereo WAVs of this length, unless they are there: stretches of the sources in turn."""
    paths = [into / f"{seconds}-{number:03}.wav" for number in range(TRACKS)]
    if all(path.exists() for path in paths):
        return paths
    sources = [stereo(p) for p in sorted(folder.iterdir()) if p.suffix in (".ogg", ".mp3", ".opus", ".wav")]
    length, count = STRETCH * FILE_RATE, seconds // STRETCH
    for number, path in enumerate(paths):
        stretches = []
        for turn in range(number * count, (number + 1) * count):
            samples = sources[turn % len(sources)]
            start = turn * 7 * FILE_RATE % max(1, len(samples) - length)
            stretches.append(np.resize(samples[start:], (length, 2)))  # what is shorter repeats
        soundfile.write(path, np.concatenate(stretches), FILE_RATE, subtype="PCM_16")
    return paths


def stereo(path: Path) -> np.ndarray[Any, Any]:
    """A file at 44.1 kHz as integers, shape (frames, 2)."""
    import soxr

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = np.clip(soxr.resample(samples[:, :2], rate, FILE_RATE), -1, 1)
    return np.broadcast_to((samples * 32767).astype(np.int16), (len(samples), 2))


def difference(paths: list[Path], arrays: Path, document: Path) -> tuple[int, float, float]:
    """Segments compared, the largest difference, and the largest relative to the value (to 1 for small ones).

    Tracks with silence are passed over, as ours leaves silent segments out.
    """
    data = json.loads(document.read_text())
    labels, theirs = np.array(data["labels"]), np.asarray(data["mfcc"])
    count, absolute, relative = 0, 0.0, 0.0
    for number, path in enumerate(paths):
        made = list(arrays.glob(f"{path.stem}-*.npy"))
        values = np.load(made[0])[..., 0] if made else np.empty(0)
        expected = theirs[labels == number]
        if values.shape == expected.shape:
            found = np.abs(values - expected)
            count += len(values)
            absolute = max(absolute, float(found.max()))
            relative = max(relative, float((found / np.maximum(1, np.abs(expected))).max()))
    return count, absolute, relative


def compare(paths: list[Path], seconds: int, threads: int, repeats: int, root: Path) -> str:
    """The table of both ways, and how far their values differ."""
    taken: dict[str, list[tuple[float, float, float]]] = {"tutorial": [], "ours": []}
    for turn in range(repeats):
        for way, found in taken.items():
            found.append(measured(way, paths, root / f"{way}-{turn}", threads))
            print(way, *(f"{value:.1f}" for value in found[-1]), flush=True)
    rows = []
    first = min(taken["tutorial"])
    for way, found in taken.items():
        best, out = min(found), root / f"{way}-0"
        size = sum(file.stat().st_size for file in out.glob("*")) if out.is_dir() else out.stat().st_size
        ours_here = way == "ours"
        rows.append(
            [
                f"{len(paths)} of {seconds} s",
                "musichelper" if ours_here else "librosa, threads, JSON",
                f"{best[0]:.1f}",
                f"{first[0] / best[0]:.1f}" if ours_here else "",
                f"{best[1]:.1f}",
                f"{first[1] / best[1]:.1f}" if ours_here else "",
                f"{best[2]:.0f}",
                f"{size / 2**20:.0f}",
            ]
        )
    heads = ["tracks", "by", "seconds", "factor", "CPU seconds", "factor", "peak MiB", "MiB on disk"]
    segments, absolute, relative = difference(paths, root / "ours-0", root / "tutorial-0")
    return table(heads, rows) + (
        f"\n{threads} threads, the fastest of {repeats} turns. Over {segments:,} segments the largest "
        f"difference of a value is {absolute:.1e}, relative to the value {relative:.1e}.\n"
    )


def memory(paths: list[Path], threads: int, root: Path) -> str:
    """The peak of ours by the number of tracks."""
    rows = []
    for count in MEMORY_TRACKS:
        peak = measured("ours", paths[:count], root / f"memory-{count}", threads)[2]
        rows.append([count, f"{peak:.0f}"])
    return table(["tracks of 240 s", "peak MiB of ours"], rows)


def main() -> None:
    """Measure and print; with --write each part also into its section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument(
        "--parts", nargs="*", choices=("30", "240", "memory"), default=["30", "240", "memory"]
    )
    parser.add_argument("--tracks", type=Path, help="where the tracks are made and left for another time")
    parser.add_argument("--only-make", action="store_true", help="the tracks, and measure nothing")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--child", choices=("tutorial", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    called = parser.parse_args()
    if called.child:
        child(called.child, [Path(line.strip()) for line in sys.stdin], called.out, called.threads)
        return
    if called.tracks:
        called.tracks.mkdir(parents=True, exist_ok=True)
    for part in called.parts:
        seconds = 240 if part == "memory" else int(part)
        with tempfile.TemporaryDirectory(dir=called.tracks) as scratch:
            paths = make_tracks(called.folder, called.tracks or Path(scratch), seconds)
            if called.only_make:
                continue
            if part == "memory":
                text = memory(paths, called.threads, Path(scratch))
            else:
                text = compare(paths, seconds, called.threads, called.repeats, Path(scratch))
        print(text)
        if called.write:
            save(f"features {part}", text)


if __name__ == "__main__":
    main()
