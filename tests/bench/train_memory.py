"""Host memory of a fine-tune against the number of tracks.

    uv run python tests/bench/train_memory.py [--write]

Libraries of 100, 1,000 and 5,000 tracks, each with a caption and two minutes of random tokens in the real
cache; a short fine-tune of a tiny model goes through all of it: ledger, choice, split, memory maps, crops,
captions, held-out looks. Each in a process of its own. The control keeps the same tokens as a data set in
memory, as trainers do that hand lists of examples to a loader.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.results import save, table

SECONDS, FRAME_RATE, CODEBOOKS, CARD = 120.0, 50, 4, 32
STEPS = 40
GENRES = ("jazz", "rock", "pop", "metal")


def make(root: Path, tracks: int) -> None:
    """A library of so many ready tracks, whose music is nothing but tokens."""
    import torch

    from assistant.library.library import create_library
    from assistant.musicgen import loading
    from assistant.musicgen.tokens import TokenCache
    from tests.musicgen.tiny_models import NAME, write_tiny_model

    chooser = np.random.default_rng(tracks)
    with create_library(root) as library:
        write_tiny_model(library)
        _codec, name = loading.codec_for_tokens(NAME, library.paths, torch.device("cpu"))
        cache = TokenCache(library.paths.tokens, name, CODEBOOKS)
        for genre in GENRES:
            (root / genre).mkdir(exist_ok=True)
        with library.ledger.transaction():
            for number in range(tracks):
                path = Path(GENRES[number % len(GENRES)]) / f"{number}.wav"
                caption = path.with_suffix(".txt")
                (root / caption).write_text(f"Piece number {number}, as slow as {number % 90} bpm.\n")
                content = f"{number:032x}"
                row = library.ledger.add_track(path, content, 1, 1)
                library.ledger.update_track(
                    row.id,
                    state="ready",
                    wav=path,
                    caption=caption,
                    duration=SECONDS,
                    artist=f"A{number % 97}",
                )
                tokens = chooser.integers(0, CARD, (CODEBOOKS, int(SECONDS * FRAME_RATE)))
                cache.add(content, tokens.astype(np.int16), durable=False)


def learn(root: Path) -> dict[str, float]:
    """A fine-tune of the library in this process; the memory that it took."""
    from assistant.library.library import LibraryPaths
    from assistant.musicgen.spec import FinetuneSpec
    from assistant.musicgen.training import finetune
    from tests.musicgen.tiny_models import NAME

    spec = FinetuneSpec(
        name="tuned", model=NAME, steps=STEPS, batch_size=8, accumulation=1, crop_seconds=2.0, sample_every=0,
        validate_every=20, checkpoint_every=20, patience=0, device="cpu",
    ).check()  # fmt: skip
    folder = LibraryPaths(root).runs / "run"
    folder.mkdir(parents=True)
    anonymous = 0.0
    for _event in finetune(spec, root, folder, lambda: None):
        anonymous = max(anonymous, _anonymous())
    return {"peak": _peak(), "anonymous": anonymous}


def hold(root: Path) -> dict[str, float]:
    """The control: the same tokens as a data set in memory."""
    import torch

    from assistant.library.library import LibraryPaths
    from assistant.musicgen import backend
    from assistant.musicgen.tokens import TokenCache

    backend.prepare()
    (folder,) = LibraryPaths(root).tokens.iterdir()
    cache = TokenCache(folder.parent, folder.name, CODEBOOKS)
    examples: list[Any] = []
    for index in sorted(folder.glob("*.jsonl")):
        for line in index.read_text().splitlines():
            examples.append(torch.from_numpy(cache.read(json.loads(line)["content"]).astype(np.int64)))
    torch.utils.data.TensorDataset(torch.stack(examples))
    return {"peak": _peak(), "anonymous": _anonymous()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _anonymous() -> float:
    """MiB of this process that are not pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


def measured(tracks: int) -> list[list[object]]:
    """Our row and that of the control."""
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "library"
        _in_a_process("make", root, tracks)
        size = sum(path.stat().st_size for path in root.glob(".musichelper/tokens/*/*.bin")) / 2**20
        for words, task in (("musichelper, a fine-tune", "learn"), ("all tokens in memory", "hold")):
            found = _in_a_process(task, root, tracks)
            rows.append(
                [
                    f"{tracks:,}",
                    f"{size:.0f}",
                    words,
                    f"{found['peak']:.0f}",
                    f"{found['anonymous']:.0f}",
                ]
            )
    return rows


def _in_a_process(task: str, root: Path, tracks: int) -> dict[str, float]:
    call = [sys.executable, __file__, "--task", task, "--root", str(root), "--tracks", str(tracks)]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print; with --write also into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--tracks", type=lambda text: [int(one) for one in text.split(",")], default=None)
    parser.add_argument("--task", choices=("make", "learn", "hold"), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    called = parser.parse_args()
    counts = called.tracks or [100, 1000, 5000]
    if called.task == "make":
        make(called.root, counts[0])
        print("{}")
        return
    if called.task:
        print(json.dumps((learn if called.task == "learn" else hold)(called.root)))
        return
    headers = [
        "tracks",
        "tokens, MiB",
        "by",
        "peak MiB",
        "of it not pages of files",
    ]
    words = table(headers, [row for count in counts for row in measured(count)])
    print(words)
    if called.write:
        save("train memory", words)


if __name__ == "__main__":
    main()
