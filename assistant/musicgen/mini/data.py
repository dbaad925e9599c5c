"""The music that `mini` learns from: pieces composed by rules, rendered through a soundfont."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.files import whole_file
from assistant.musicgen.blueprint import SAMPLE_RATE
from assistant.symbolic.compose import GENRES, Piece, compose
from assistant.symbolic.midi import TICKS_PER_BEAT, write_midi
from assistant.symbolic.rules.instruments import INSTRUMENTS

SPLITS = {"train": 10_000_000, "valid": 20_000_000}
"""The first seed of each split. The demo and whoever composes by hand use small ones, so that what they
make is not what the model has learnt by heart."""
SHARD = 20
"""Pieces in a file: two of each genre."""
PIECE_SECONDS = 20.0
LEVEL = 0.12
"""Root mean square of every piece, as near as the peak allows."""
PEAK = 0.95
_NAMES = {program: name for name, (program, _low, _high) in reversed(INSTRUMENTS.items())}


@dataclass(frozen=True)
class Made:
    """One piece as it lies in a shard, with everything that its captions may say."""

    genre: str
    seed: int
    start: int
    """First sample in the shard."""
    samples: int
    bpm: float
    key: str
    mode: str
    meter: str
    instruments: tuple[str, ...]
    """The most played first, without drums."""
    drums: bool
    bars: tuple[int, ...]
    """The sample at which each bar begins, counted from the piece's own start."""


def make_data(
    work: Path,
    split: str,
    pieces: int,
    *,
    soundfont: str = "",
    processes: int = 1,
    on_shard: Callable[[int, int], None] | None = None,
) -> None:
    """Compose and render `pieces` pieces into `work`; shards that are there already are left alone.

    `on_shard(done, total)` is called after each. The same pieces come out on every machine.
    """
    folder = data_folder(work)
    folder.mkdir(parents=True, exist_ok=True)
    total = -(-pieces // SHARD)
    missing = [number for number in range(total) if not _index(folder, split, number).exists()]
    done = total - len(missing)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        work_on = [pool.submit(make_shard, folder, split, number, soundfont) for number in missing]
        for future in work_on:
            future.result()
            done += 1
            if on_shard:
                on_shard(done, total)


def make_shard(folder: Path, split: str, number: int, soundfont: str = "") -> None:
    """Render one shard: int16 samples in a .npy file, and a line of JSON for each piece beside it."""
    rendered, lines, start = [], [], 0
    for place in range(number * SHARD, (number + 1) * SHARD):
        seed = SPLITS[split] + place // len(GENRES)
        piece = compose(GENRES[place % len(GENRES)], seed, PIECE_SECONDS)
        samples = render(piece, soundfont)
        lines.append(json.dumps(asdict(composed(piece, seed, start, len(samples)))))
        rendered.append(np.round(samples * 32767).astype(np.int16))
        start += len(samples)
    index = _index(folder, split, number)
    with whole_file(index.with_suffix(".npy")) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(rendered))
    with whole_file(index) as temporary:  # last, for it says that the shard is whole
        temporary.write_text("\n".join(lines) + "\n")


def render(piece: Piece, soundfont: str = "") -> NDArray[np.float32]:
    """A piece as mono samples at the codec's rate, all pieces about equally loud."""
    import soxr

    from assistant.audio.render import open_midi
    from assistant.audio.synthesizer import RATE

    with tempfile.TemporaryDirectory() as folder:
        path = write_midi(piece, Path(folder) / "piece.mid")
        sound, _facts = open_midi(path, soundfont, 600.0)
        stereo = np.concatenate(list(sound.blocks()))
    mono = soxr.resample(stereo.mean(axis=1), RATE, SAMPLE_RATE).astype(np.float32)
    gain = min(LEVEL / float(np.sqrt(np.mean(mono**2))), PEAK / float(np.abs(mono).max()))
    return np.asarray(mono * np.float32(gain), np.float32)


def shards(work: Path, split: str) -> Iterator[tuple[NDArray[np.int16], list[Made]]]:
    """Every whole shard: its samples, memory-mapped, and its pieces."""
    for index in sorted(data_folder(work).glob(f"{split}-*.jsonl")):
        lines = index.read_text().splitlines()
        yield np.load(index.with_suffix(".npy"), mmap_mode="r"), [made_from(line) for line in lines]


def data_folder(work: Path) -> Path:
    """Where the shards lie."""
    return work / "data"


def _index(folder: Path, split: str, number: int) -> Path:
    return folder / f"{split}-{number:04}.jsonl"


def made_from(line: str) -> Made:
    """A piece as its line of JSON has it."""
    fields = json.loads(line)
    return Made(**{**fields, "instruments": tuple(fields["instruments"]), "bars": tuple(fields["bars"])})


def composed(piece: Piece, seed: int, start: int, samples: int) -> Made:
    """What is known of a piece whose sound has `samples` samples and lies at `start`."""
    midi = piece.to_midi()
    beats, unit = piece.time_signature
    bar = TICKS_PER_BEAT * 4 * beats // unit
    weights: dict[str, int] = {}
    for track in piece.tracks:
        if not track.drums and track.notes:
            name = _NAMES.get(track.program, track.name.casefold())
            weights[name] = weights.get(name, 0) + sum(note.duration for note in track.notes)
    return Made(
        genre=piece.genre,
        seed=seed,
        start=start,
        samples=samples,
        bpm=piece.tempo,
        key=piece.key,
        mode=piece.mode,
        meter=f"{beats}/{unit}",
        instruments=tuple(sorted(weights, key=lambda name: -weights[name])),
        drums=any(track.drums and track.notes for track in piece.tracks),
        bars=tuple(round(midi.seconds(tick) * SAMPLE_RATE) for tick in range(0, piece.length, bar)),
    )
