"""MFCC of many tracks: the classic tutorials' way (librosa, a pool of threads, JSON) against ours.

    uv run python tests/bench/features.py [--write] [--folder FOLDER] [--short N] [--long N]

The tracks are WAV files of 44.1 kHz, stereo, as intake makes them, cut from the music of the folder, each
from another place. The other way loads each track with librosa, takes the MFCC of its 3 s segments with
librosa in a pool of threads, and dumps one indented JSON; ours writes arrays. Each runs in a process of its
own, so that the peak of memory is its own; both have the same number of threads. CPU seconds tell more than
the clock where the machine is shared. Ours is on the disk for good when it is done, the JSON need not be.
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

from tests.bench.results import save, table

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "music"
RATE, SECONDS = 22_050, 3
MEMORY_TRACKS = (50, 100)


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
    found = subprocess.run(
        command, input="\n".join(map(str, paths)), capture_output=True, text=True, check=True
    )
    seconds, cpu, peak = json.loads(found.stdout.splitlines()[-1])
    return seconds, cpu, peak


def make_tracks(sources: list[Path], into: Path, count: int, seconds: int) -> list[Path]:
    """Stereo WAVs of this length, from the sources in turn, each from another place; short ones repeat."""
    paths = []
    for number in range(count):
        source = sources[number % len(sources)]
        samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
        if samples.shape[1] == 1:
            samples = np.repeat(samples, 2, axis=1)
        wanted = seconds * rate
        samples = np.roll(samples, -number * rate * 7, axis=0)
        samples = np.tile(samples, (1 + wanted // len(samples), 1))[:wanted]
        paths.append(into / f"{seconds}-{number:03}.wav")
        soundfile.write(paths[-1], samples, rate, subtype="PCM_16")
    return paths


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


def main() -> None:
    """Measure and print; with --write also into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--short", type=int, default=100, help="tracks of 30 s")
    parser.add_argument("--long", type=int, default=100, help="tracks of 4 min")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--scratch", type=Path, help="where the tracks are made")
    parser.add_argument("--child", choices=("tutorial", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    called = parser.parse_args()
    if called.child:
        child(called.child, [Path(line.strip()) for line in sys.stdin], called.out, called.threads)
        return
    sources = sorted(p for p in called.folder.iterdir() if p.suffix in (".ogg", ".mp3", ".opus", ".wav"))
    rows, memory, differences = [], [], []
    with tempfile.TemporaryDirectory(dir=called.scratch) as scratch:
        root = Path(scratch)
        for count, seconds in ((called.short, 30), (called.long, 240)):
            paths = make_tracks(sources, root, count, seconds)
            taken = {}
            for way in ("tutorial", "ours"):
                out = root / f"{way}-{seconds}"
                taken[way] = measured(way, paths, out, called.threads)
                size = sum(f.stat().st_size for f in out.glob("*")) if out.is_dir() else out.stat().st_size
                name = "librosa, threads, JSON" if way == "tutorial" else "musichelper"
                first, here = taken["tutorial"], taken[way]
                factors = [f"{first[0] / here[0]:.1f}", f"{first[1] / here[1]:.1f}"]
                if way == "tutorial":
                    factors = ["", ""]
                row = [f"{count} of {seconds} s", name, f"{here[0]:.1f}", factors[0], f"{here[1]:.1f}"]
                rows.append([*row, factors[1], f"{here[2]:.0f}", f"{size / 2**20:.0f}"])
                print(*rows[-1], sep=" | ", flush=True)
            differences.append(difference(paths, root / f"ours-{seconds}", root / f"tutorial-{seconds}"))
            if seconds == 30:
                for tracks in MEMORY_TRACKS:
                    peak = measured("ours", paths[:tracks], root / f"memory-{tracks}", called.threads)[2]
                    memory.append([min(tracks, count), f"{peak:.0f}"])
            for path in paths:
                path.unlink()
    text = table(
        ["tracks", "by", "seconds", "factor", "CPU seconds", "factor", "peak MiB", "MiB on disk"], rows
    )
    segments = sum(found[0] for found in differences)
    absolute, relative = (max(found[place] for found in differences) for place in (1, 2))
    text += (
        f"\n{called.threads} threads. Over {segments} segments the largest difference of a value is "
        f"{absolute:.1e}, relative to the value {relative:.1e}.\n\n"
    )
    text += table(["tracks of 30 s", "peak MiB of ours"], memory)
    print(text)
    if called.write:
        save("features", text)


if __name__ == "__main__":
    main()
