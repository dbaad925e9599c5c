"""Finding the same music among 100,000 tracks, and how well copies are told from other music.

uv run python tests/bench/duplicates.py [--write]
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assistant.audio.fingerprint import SAME, difference, landmarks
from assistant.audio.measure import Measurer
from assistant.audio.render import open_midi
from assistant.library.duplicates import duplicates, note_sound
from assistant.library.ledger import Ledger
from assistant.library.library import create_library
from assistant.symbolic.compose import GENRES, compose, write_midi
from tests.bench.results import save, table

TRACKS = 100_000
WORDS = 970  # of 90 s
RATE = 44100
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def fill(ledger: Ledger) -> float:
    """Tracks with fingerprints of their own, written in one go; gives the seconds that it took."""
    chance = np.random.default_rng(0)
    start = time.perf_counter()
    hashes, owners = [], []
    with ledger.transaction():
        for number in range(1, TRACKS + 1):
            # Neighbouring words are alike, as they are in music.
            words = np.repeat(chance.integers(1, 2**32, WORDS // 2, np.uint32), 2)
            words[1::2] ^= np.uint32(1) << chance.integers(0, 32, WORDS // 2).astype(np.uint32)
            data = words.tobytes()
            found = landmarks(data)[0]
            hashes.append(found)
            owners.append(np.full(len(found), number))
            ledger._database.execute(
                "INSERT INTO tracks (id, path, content, size, mtime_ns, state, added, changed) "
                "VALUES (?, ?, ?, 1, 1, 'ready', 0, 0)",
                (number, f"rock/{number}.mp3".encode(), f"{number:x}"),
            )
            ledger._database.execute("INSERT INTO fingerprints (track, data) VALUES (?, ?)", (number, data))
        values, tracks = np.concatenate(hashes), np.concatenate(owners)
        order = np.lexsort((tracks, values))
        rows = zip(values[order].tolist(), tracks[order].tolist(), strict=True)
        ledger._database.executemany("INSERT INTO landmarks (hash, track) VALUES (?, ?)", rows)
    return time.perf_counter() - start


def scale(folder: Path) -> str:
    """Times at 100,000 tracks."""
    import base64

    library = create_library(folder)
    filled = fill(library.ledger)
    chance = np.random.default_rng(1)
    new, copies, right = [], [], 0
    for number in range(50):
        track = library.ledger.add_track(Path(f"pop/new{number}.mp3"), f"new{number}", 1, 1)
        words = chance.integers(1, 2**32, WORDS, np.uint32)
        start = time.perf_counter()
        note_sound(library, track, base64.b64encode(words.tobytes()).decode())
        new.append(time.perf_counter() - start)
        track = library.ledger.add_track(Path(f"pop/copy{number}.mp3"), f"copy{number}", 1, 1)
        known = library.ledger.fingerprint(1 + number * 1999)
        assert known is not None
        copy = np.frombuffer(known[0], "<u4").copy()
        bits = chance.random((WORDS // 2 * 2, 32)) < 0.08  # as after a low bit rate
        copy ^= np.packbits(bits, axis=1, bitorder="little").view("<u4")[:, 0]
        start = time.perf_counter()
        found = note_sound(library, track, base64.b64encode(copy.tobytes()).decode())
        copies.append(time.perf_counter() - start)
        right += found == f"rock/{1 + number * 1999}.mp3"
    start = time.perf_counter()
    groups = len(duplicates(library))
    listed = time.perf_counter() - start
    size = (library.root / ".musichelper" / "ledger.db").stat().st_size
    rows = [
        ["filling the ledger (once, for the benchmark)", f"{filled:.0f} s"],
        ["a new track is compared with all (median of 50)", milliseconds(new)],
        [
            "a copy with 8 % of its bits changed is found (median)",
            milliseconds(copies),
        ],
        ["copies found", f"{right} of 50"],
        [f"listing all groups ({groups})", f"{1000 * listed:.0f} ms"],
        ["ledger", f"{size / TRACKS / 1000:.1f} kB a track"],
        ["control: looking at each track in turn, without the index", f"{every(library.ledger):.0f} s"],
    ]
    return table([f"{TRACKS:,} tracks", ""], rows)


def milliseconds(seconds: list[float]) -> str:
    """The median, in words."""
    return f"{1000 * float(np.median(seconds)):.1f} ms"


def every(ledger: Ledger) -> float:
    """Seconds that comparing one track with each other without an index would take."""
    prints = [known[0] for number in range(1, 101) if (known := ledger.fingerprint(number))]
    start = time.perf_counter()
    for one in prints[1:]:
        difference(prints[0], one)
    return (time.perf_counter() - start) / (len(prints) - 1) * TRACKS


def print_of(samples: np.ndarray, rate: int) -> bytes:
    """The fingerprint of samples [frames, channels]."""
    measurer = Measurer(rate, samples.shape[1], len(samples) / rate)
    measurer.add(samples.astype(np.float32))
    return measurer.fingerprint()


def music(folder: Path) -> list[tuple[np.ndarray, int]]:
    """Composed pieces, two of each genre, and real ones where they are there."""
    found = []
    for genre in GENRES:
        for seed in (1, 2):
            write_midi(compose(genre, seed, 40), folder / "piece.mid")
            samples = np.concatenate(list(open_midi(folder / "piece.mid", "", 600)[0].blocks()))
            found.append((0.8 * samples / np.abs(samples).max(), RATE))
    for path in sorted(SHARED.glob("music/*.ogg"))[:10]:
        samples, rate = soundfile.read(path, frames=90 * RATE, always_2d=True, dtype="float32")
        found.append((0.8 * samples, rate))
    return found


def encoded(samples: np.ndarray, rate: int, path: Path, **how: object) -> tuple[np.ndarray, int]:
    """The samples after being written as another format."""
    with soundfile.SoundFile(path, "w", rate, samples.shape[1], **how) as file:
        for start in range(0, len(samples), 1 << 15):  # libsndfile's Vorbis encoder dies of long blocks
            file.write(samples[start : start + (1 << 15)])
    again, rate = soundfile.read(path, always_2d=True, dtype="float32")
    return again, rate


def quality(folder: Path) -> str:
    """The share of differing bits of copies, and of all pairs of different pieces."""
    pieces = music(folder)
    prints = [print_of(*piece) for piece in pieces]
    kinds: dict[str, list[float]] = {}
    for (samples, rate), original in zip(pieces, prints, strict=True):
        if not original:
            continue
        copies = {
            "MP3, high rate": encoded(samples, rate, folder / "a.mp3", compression_level=0.1),
            "MP3, low rate": encoded(samples, rate, folder / "a.mp3", compression_level=0.95),
            "Ogg Vorbis": encoded(samples, rate, folder / "a.ogg"),
            "6 dB quieter": (0.5 * samples, rate),
            "mono": (samples.mean(axis=1, keepdims=True), rate),
            "1.777 s later": (samples[round(1.777 * rate) :], rate),
        }
        for name, copy in copies.items():
            kinds.setdefault(name, []).append(difference(original, print_of(*copy)))
    known = [one for one in prints if one]
    others = [difference(one, other) for one, other in combinations(known, 2)]
    rows = [
        [
            name,
            len(values),
            sum(value < SAME for value in values),
            f"{np.median(values):.3f}",
            f"{max(values):.3f}",
        ]
        for name, values in kinds.items()
    ]
    rows.append(["control: different pieces", len(others), sum(o < SAME for o in others), "", ""])
    text = table(["copy", "pairs", "matched", "median of bits that differ", "most"], rows)
    return text + (
        f"\nThe closest pair of different pieces differs in {min(others):.3f} of its bits; below {SAME} is "
        f"the same. {len(prints) - len(known)} of {len(prints)} pieces were too short or plain.\n"
    )


def main() -> None:
    """Run everything and print it."""
    with tempfile.TemporaryDirectory() as name:
        text = quality(Path(name)) + "\n" + scale(Path(name) / "library")
    print(text)
    if "--write" in sys.argv:
        save("duplicates", text)


if __name__ == "__main__":
    main()
