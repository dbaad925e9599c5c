"""How good the built-in model is: its codec, its loss, and whether its clips are of the genre that was asked.

    uv run python tests/bench/mini.py [--write] [--clips N] [--model FOLDER] [--keep FOLDER]

All pieces that are measured on are composed from seeds that training never saw. The judge of genres is a
logistic regression on the features of our classifier, fitted to such pieces after a round trip through the
codec, so that it knows the codec's sound; how often it is right about other true pieces stands beside
its verdict on the clips. It judges twice: by MFCCs alone, and with musicnn's features, which were learnt
from recordings. Prompts name the genre and nothing that would give it away. `--keep` writes the clips.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import soundfile

from assistant.library.library import LibraryPaths, create_library
from assistant.musicgen import backend
from assistant.musicgen.blueprint import SAMPLE_RATE
from assistant.musicgen.models import MINI_FOLDER, model_folder
from tests.bench.mini_clips import TEST_SEEDS, genre_table, make_clips, sound_table, tempo_table
from tests.bench.mini_codec import SECONDS, codec_table, excerpts, loss_table
from tests.bench.results import save, table


def speed_table(model: str) -> str:
    """Seconds for a clip of ten seconds, through the process that the command line uses."""
    from assistant.musicgen.spec import GenerateSpec
    from assistant.serving.client import Generator

    rows = []
    with tempfile.TemporaryDirectory() as folder, create_library(Path(folder) / "library") as library:
        spec = GenerateSpec.from_settings(
            library.settings, model=model, prompt="a slow blues", duration=SECONDS, seed=1
        ).check()
        with Generator(library) as generator:
            for name in ("first clip, with loading", "next clip", "next clip"):
                began = time.monotonic()
                generator.generate(spec)
                rows.append((name, f"{time.monotonic() - began:.1f}"))
    return table(("10 s of sound", "seconds"), rows)


def main() -> None:
    """Measure, print, and with --write put the tables into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--clips", type=int, default=20, help="of each genre")
    parser.add_argument(
        "--judge", type=int, default=25, help="pieces of each genre that the judge learns from"
    )
    parser.add_argument("--cfg", type=float, default=3.0)
    parser.add_argument("--model", default=str(MINI_FOLDER), help="name or folder")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()

    backend.prepare()
    import torch

    from assistant.musicgen.loading import load, load_codec, load_lm

    torch.set_num_threads(backend.usable_threads())
    cpu, folder = torch.device("cpu"), model_folder(given.model, LibraryPaths(Path()))
    codec = load_codec(given.model, folder, cpu)
    pieces = excerpts(TEST_SEEDS, 3)
    parts = ["Codec, 30 excerpts of 10 s:", codec_table(codec, pieces)]
    print(parts[-1], flush=True)
    lm = load_lm(given.model, folder, cpu, torch.float32)
    parts += ["Loss in nats on the same excerpts:", loss_table(lm, codec, pieces)]
    print(parts[-1], flush=True)
    parts += ["Time on this machine:", speed_table(given.model)]
    print(parts[-1], flush=True)
    engine = load(given.model, LibraryPaths(Path()), "cpu", "float32")
    clips = make_clips(engine, given.clips, given.cfg)
    parts += ["The clips as sound:", sound_table(clips, pieces)]
    print(parts[-1], flush=True)
    parts += ["Tempo:", tempo_table(engine, 4, given.cfg)]
    print(parts[-1], flush=True)
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
        for genre, audios in clips.items():
            for number, audio in enumerate(audios):
                soundfile.write(given.keep / f"{genre}-{number:02}.wav", audio, SAMPLE_RATE)
    parts += ["Genre:", genre_table(codec, clips, given.judge, 10)]
    print(parts[-1], flush=True)
    if given.write:
        save("The built-in model", "\n\n".join(parts))


if __name__ == "__main__":
    main()
