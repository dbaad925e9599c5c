"""Files a second to 44.1 kHz 16-bit WAV: ours against ffmpeg, pydub, timidity and fluidsynth.

    uv run --with pydub python tests/bench/convert.py [--write] [--folder FOLDER] [--most N] [--midis N]

Needs ffmpeg, timidity and fluidsynth (`apt install ffmpeg timidity fluidsynth`); what is missing is left
out of the table and named. Everybody reads and writes the same files in memory (/dev/shm), with the same
number of workers; all take turns in each round, and the best of the rounds counts. Our decoders are warm, as
in intake; programs that are started for each file pay for it, as they do in life. CPU seconds count all
processes, and tell more than the clock where the machine is shared. The MP3s are made from the Ogg and Opus
files of the folder with libmp3lame. MIDI is played with the same soundfont.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assistant.audio.guard import Decoders
from assistant.audio.render import find_soundfont
from assistant.config import IntakeSettings
from tests.bench.results import save, table

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "music"
Convert = Callable[[Path, Path], object]
_PYDUB = """
import sys
from pydub import AudioSegment
segment = AudioSegment.from_file(sys.argv[1]).set_frame_rate(44100).set_sample_width(2)
segment.export(sys.argv[2], format="wav")
"""


def run(*command: object) -> None:
    """One process, silent; its failure ends the benchmark."""
    subprocess.run([str(part) for part in command], check=True, capture_output=True, stdin=subprocess.DEVNULL)


def cpu_seconds(pools: list[int]) -> float:
    """CPU time of this process, of all that have ended under it, and of the decoders that run."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    for pid in pools:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def measured(
    ways: dict[str, Convert | bool], files: list[Path], out: Path, workers: int, rounds: int
) -> dict[str, tuple[float, float]]:
    """Seconds by the clock and of CPU for each way, its best of some rounds in which all take turns.

    A bool in place of a converter is ours, measuring or not.
    """
    best: dict[str, tuple[float, float]] = {}
    with Decoders(IntakeSettings(workers=workers)) as decoders:
        for _worker in range(workers):  # warm, as intake has them
            decoders.convert(files[0], out / "warm.wav")
        pids = [worker.pid for worker in decoders._workers if worker.pid is not None]
        for _round in range(rounds):
            for way, convert in ways.items():
                if isinstance(convert, bool):
                    call: Convert = partial(decoders.convert, measure=convert)
                else:
                    call = convert
                before, started = cpu_seconds(pids), time.perf_counter()
                with ThreadPoolExecutor(workers) as threads:
                    targets = [out / f"{file.name}.wav" for file in files]
                    list(threads.map(call, files, targets))
                taken, cpu = time.perf_counter() - started, cpu_seconds(pids) - before
                known = best.get(way, (taken, cpu))
                best[way] = min(known[0], taken), min(known[1], cpu)
                for made in out.iterdir():
                    made.unlink()
    return best


def make_mp3s(sources: list[Path], into: Path, most: int) -> list[Path]:
    """MP3s as they are, and Ogg and Opus files as MP3; so many of them."""
    made: list[Path] = []
    for source in sources:
        if len(made) == most:
            break
        target = into / f"{source.stem}.mp3"
        if source.suffix == ".mp3":
            shutil.copy(source, target)
        elif source.suffix in (".ogg", ".opus"):
            run("ffmpeg", "-v", "error", "-i", source, "-ar", 44100, "-b:a", "192k", target)
        else:
            continue
        made.append(target)
    return made


def main() -> None:
    """Measure and print; with --write also into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--most", type=int, default=8, help="files of a kind, the smallest first")
    parser.add_argument("--midis", type=int, help="of MIDI, where not so many: timidity takes minutes a song")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, len(os.sched_getaffinity(0))])
    called = parser.parse_args()
    font = find_soundfont("")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        source, out = Path(memory, "in"), Path(memory, "out")
        source.mkdir()
        out.mkdir()
        configuration = Path(memory, "timidity.cfg")
        configuration.write_text(f"soundfont {font}\n")
        sources = sorted(called.folder.iterdir(), key=lambda file: file.stat().st_size)
        songs = [file for file in sources if file.suffix == ".mid"]
        most_midis = called.most if called.midis is None else called.midis
        midis = [Path(shutil.copy(file, source)) for file in songs[:most_midis]]
        mp3s = make_mp3s(sources, source, called.most)

        form = ("-ar", 44100, "-c:a", "pcm_s16le")

        def ffmpeg(file: Path, target: Path) -> None:
            run("ffmpeg", "-nostdin", "-v", "error", "-y", "-i", file, *form, target)

        def pydub(file: Path, target: Path) -> None:
            run(sys.executable, "-c", _PYDUB, file, target)

        def pydub_here(file: Path, target: Path) -> None:
            segment = audio_segment.from_file(file).set_frame_rate(44100).set_sample_width(2)
            segment.export(target, format="wav").close()

        def timidity(file: Path, target: Path) -> None:
            run("timidity", "-c", configuration, "-s", 44100, "-Ow", "-o", target, file)

        def fluidsynth(file: Path, target: Path) -> None:
            run("fluidsynth", "-ni", "-q", "-r", 44100, "-F", target, font, file)

        def fluidsynth_dry(file: Path, target: Path) -> None:
            run("fluidsynth", "-ni", "-q", "-R", 0, "-C", 0, "-r", 44100, "-F", target, font, file)

        mp3_ways: dict[str, Convert | bool] = {
            "musichelper, plain `convert`": False,
            "musichelper, with all measurements": True,
            "ffmpeg, one process a file": ffmpeg,
        }
        try:
            audio_segment = importlib.import_module("pydub").AudioSegment
            mp3_ways |= {"pydub, in this process": pydub_here, "pydub, one process a file": pydub}
        except ImportError:
            print("pydub is not there: run with `uv run --with pydub`")
        midi_ways: dict[str, Convert | bool] = {
            "musichelper, plain `convert`": False,
            "musichelper, with all measurements": True,
        }
        if shutil.which("timidity"):
            midi_ways["timidity"] = timidity
        if shutil.which("fluidsynth"):
            midi_ways |= {"fluidsynth": fluidsynth, "fluidsynth without reverb and chorus": fluidsynth_dry}
        rows = []
        for workers in called.workers:
            for kind, ways, files in (("MP3", mp3_ways, mp3s), ("MIDI", midi_ways, midis)):
                best = measured(ways, files, out, workers, called.rounds)
                for way, (taken, cpu) in best.items():
                    name = f"{len(files)} {kind} → WAV"
                    rate = f"{len(files) / taken:.2f}"
                    rows.append([name, workers, way, f"{taken:.1f}", f"{cpu:.1f}", rate])
                    print(*rows[-1], flush=True)
    words = table(["files", "workers", "by", "seconds", "CPU seconds", "files a second"], rows)
    print(words)
    if called.write:
        save("convert", words)


if __name__ == "__main__":
    main()
