"""Measurements of captions against plain librosa: speed, tempo and key on music whose truth is known.

    uv run python tests/bench/captions.py [--write]

The truth is in the MIDI files that are rendered: composed pieces of ten genres, and ../shared/data where it
is there. Every second file of each source was used while tempo and key were improved; only the others are
reported. A key signature of C major is taken as truth only where every file of the source has one of its own.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assistant.audio.decode import open_audio
from assistant.audio.formats import Content
from assistant.audio.key import PITCHES, key_of_profile
from assistant.audio.listening import GROUPS, Patches
from assistant.audio.measure import Measurer
from assistant.audio.musicnn import TAGS
from assistant.audio.render import open_midi
from assistant.symbolic.compose import GENRES, compose, write_midi
from tests.bench.results import save, table

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
SHARED = Path(__file__).parents[3] / "shared" / "data"
SECONDS = 60
RATE = 44100
SEEDS = (12, 14, *range(301, 310), *range(401, 409), *range(701, 713))
"""Of the composed pieces; nothing was tuned on them."""
SOURCES = {"nottingham": 30, "pop909": 24, "irealva": 20}
WORDS = {
    "piano": ("piano", "clavinet"),
    "strings": ("strings", "violin", "viola", "cello", "fiddle"),
    "drums": ("drums",),
    "guitar": ("guitar", "banjo", "dulcimer"),
    "flute": ("flute", "piccolo", "recorder", "whistle", "ocarina"),
}
AGAINST = {
    "mellow": ("disco", "hiphop", "metal", "rock"),
    "danceable": ("blues", "classical", "country", "jazz", "metal", "rock"),
}
"""Genres of which no clip should be called so."""


@dataclass
class Piece:
    """A rendered file with what is true of it; None where the file does not say."""

    source: str
    wav: Path
    bpm: float | None
    key: str | None
    instruments: list[str]


def sources(folder: Path) -> list[tuple[str, Path]]:
    """The MIDI files of the half that nothing was tuned on."""
    found = []
    for genre in GENRES:
        for seed in SEEDS:
            path = folder / f"{genre}-{seed}.mid"
            write_midi(compose(genre, seed, 60), path)
            found.append(("composed", path))
    chance = random.Random(5)
    for source, number in SOURCES.items():
        files = sorted(path for path in SHARED.glob(f"midi/{source}/**/*.mid*"))
        chance.shuffle(files)
        chosen = sorted(files[:number], key=lambda path: path.stem.replace(" ", "_"))
        found += [(source, path) for path in chosen[::2]]
    return found + [("music", path) for path in sorted(SHARED.glob("music/*.mid"))[::2]]


def rendered(source: str, midi: Path, folder: Path, number: int) -> Piece:
    """The first part of a MIDI file as a WAV, with its truth."""
    import symusic

    score = symusic.Score(midi)
    sound, facts = open_midi(midi, "", 3600)
    blocks, frames = [], 0
    for block in sound.blocks():
        blocks.append(block)
        frames += len(block)
        if frames > SECONDS * RATE:
            break
    samples = np.concatenate(blocks)[: SECONDS * RATE]
    wav = folder / f"{number}.wav"
    soundfile.write(wav, 0.89 * samples / np.abs(samples).max(), RATE, subtype="PCM_16")
    return Piece(source, wav, _bpm(score), _key(score, source), facts["instruments"]["value"])


def _bpm(score: Any) -> float | None:
    """The tempo of a file that keeps one within 4 % for nine tenths of its time."""
    tempos = sorted((float(t.time), float(t.qpm)) for t in score.tempos)
    if not tempos:
        return None
    spans: dict[float, float] = {}
    ends = [start for start, _qpm in tempos[1:]] + [float(score.end())]
    for (start, qpm), end in zip(tempos, ends, strict=True):
        spans[qpm] = spans.get(qpm, 0.0) + max(0.0, end - start) / qpm
    best = max(spans, key=lambda qpm: spans[qpm])
    near = sum(span for qpm, span in spans.items() if abs(qpm / best - 1) < 0.04)
    return best if near > 0.9 * sum(spans.values()) else None


def _key(score: Any, source: str) -> str | None:
    signatures = {(int(s.key), int(s.tonality)) for s in score.key_signatures}
    if len(signatures) != 1:
        return None
    fifths, minor = signatures.pop()
    if (fifths, minor) == (0, 0) and source not in ("composed", "nottingham"):
        return None
    return f"{PITCHES[(7 * fifths + 9 * minor) % 12]} {('major', 'minor')[minor]}"


def by_ours(path: Path) -> dict[str, Any]:
    """All measurements as the decoder takes them, with the fingerprint; without the networks."""
    sound = open_audio(path, Content.WAV)
    measurer = Measurer(RATE, sound.channels, sound.declared)
    for block in sound.blocks():
        measurer.add(block)
    measurer.fingerprint()
    return {name: fact["value"] for name, fact in measurer.facts().items()}


def by_librosa(path: Path) -> dict[str, Any]:
    """The same by the plain calls of librosa's tutorial, and pyloudnorm."""
    import librosa
    import pyloudnorm

    samples, rate = librosa.load(path, sr=22050)
    tempo, _beats = librosa.beat.beat_track(y=samples, sr=rate)
    chroma = librosa.feature.chroma_stft(y=samples, sr=rate).mean(axis=1)
    key = key_of_profile(chroma)
    librosa.feature.spectral_centroid(y=samples, sr=rate).mean()
    len(librosa.onset.onset_detect(y=samples, sr=rate))
    whole, whole_rate = soundfile.read(path)
    loudness = pyloudnorm.Meter(whole_rate).integrated_loudness(whole)
    return {"bpm": float(np.atleast_1d(tempo)[0]), "key": key and key[0], "loudness": loudness}


def tempo_verdict(found: float | None, true: float) -> str:
    """right, octave (a power of two), third (3 or 3/2) or wrong; within 4 %."""
    for factors, name in (((1,), "right"), ((2, 0.5, 4, 0.25), "octave"), ((3, 1 / 3, 1.5, 2 / 3), "third")):
        if found is not None and any(abs(found / (true * factor) - 1) < 0.04 for factor in factors):
            return name
    return "wrong"


def key_verdict(found: str | None, true: str) -> str:
    """right, relative, fifth, parallel or wrong."""
    if found is None or found == true:
        return "right" if found else "wrong"
    (one, mode), (other, true_mode) = (name.rsplit(" ", 1) for name in (found, true))
    step = (PITCHES.index(one) - PITCHES.index(other)) % 12
    if mode != true_mode:
        relative = 9 if mode == "minor" else 3
        return {relative: "relative", 0: "parallel"}.get(step, "wrong")
    return "fifth" if step in (5, 7) else "wrong"


def measured(
    pieces: list[Piece], *measures: Callable[[Path], dict[str, Any]]
) -> list[tuple[float, Counter[str]]]:
    """By each measure in turn: CPU seconds, and verdicts counted as "what source verdict"."""
    for measure in measures:
        measure(pieces[0].wav)  # imports and first calls are not counted
    seconds = [0.0] * len(measures)
    counts: list[Counter[str]] = [Counter() for _measure in measures]
    for piece in pieces:
        for place, measure in enumerate(measures):
            start = time.process_time()
            found = measure(piece.wav)
            seconds[place] += time.process_time() - start
            for source in (piece.source, "all"):
                if piece.bpm is not None:
                    counts[place][f"tempo {source} {tempo_verdict(found.get('bpm'), piece.bpm)}"] += 1
                if piece.key is not None:
                    counts[place][f"key {source} {key_verdict(found.get('key'), piece.key)}"] += 1
    return list(zip(seconds, counts, strict=True))


def four_minutes(pieces: list[Piece], folder: Path) -> Path:
    """Some of the pieces one after the other, as long as a track mostly is."""
    parts: list[np.ndarray] = []
    for piece in pieces:
        parts.append(soundfile.read(piece.wav, dtype="float32")[0])
        if sum(map(len, parts)) >= 240 * RATE:
            break
    path = folder / "long.wav"
    soundfile.write(path, np.concatenate(parts)[: 240 * RATE], RATE, subtype="PCM_16")
    return path


def cpu_seconds(measure: Callable[[Path], dict[str, Any]], path: Path) -> float:
    """The median of five calls."""
    times = []
    for _number in range(5):
        start = time.process_time()
        measure(path)
        times.append(time.process_time() - start)
    return float(np.median(times))


def accuracy(ours: Counter[str], theirs: Counter[str]) -> str:
    """The table of right, octave and other errors by source."""
    rows = []
    for what, kinds in (
        ("tempo", ("right", "octave", "third", "wrong")),
        ("key", ("right", "relative", "fifth", "parallel", "wrong")),
    ):
        for source in ("composed", *SOURCES, "music", "all"):
            number = sum(ours[f"{what} {source} {kind}"] for kind in kinds)
            if number:
                cells = [
                    ", ".join(f"{kind} {n}" for kind in kinds if (n := counts[f"{what} {source} {kind}"]))
                    for counts in (ours, theirs)
                ]
                rows.append([what, source, number, *cells])
    return table(["", "source", "files", "musichelper", "librosa"], rows)


def listening(pieces: list[Piece]) -> tuple[str, float]:
    """Precision of what the networks probably hear, and the CPU seconds a track."""
    found: Counter[str] = Counter()
    seconds = 0.0
    for number, piece in enumerate(pieces):
        samples, _rate = soundfile.read(piece.wav, dtype="float32", always_2d=True)
        measurer = Measurer(RATE, 2, len(samples) / RATE, listen=True)
        measurer.add(samples)
        patches: Any = measurer._patches
        start = time.process_time()
        facts = patches.facts()
        seconds += (time.process_time() - start) if number else 0.0
        words = [word for fact in facts.values() for word in fact["value"]]
        for word in words:
            true = WORDS.get(word)
            if true is not None:
                has = any(name in played for name in true for played in piece.instruments)
                found[f"{word} {has}"] += 1
            else:
                found[f"{word} said"] += 1
        for word, true in WORDS.items():
            found[f"{word} there"] += any(name in played for name in true for played in piece.instruments)
    rows: list[list[object]] = []
    for word, (_model, _tags, threshold, confidence) in GROUPS["likely_instruments"].items():
        right, wrong = found[f"{word} True"], found[f"{word} False"]
        rows.append([word, threshold, right + wrong, right, found[f"{word} there"], confidence])
    for word, (_model, _tags, threshold, confidence) in GROUPS["likely_voice"].items():
        rows.append([word, threshold, found[f"{word} said"], 0, 0, confidence])
    headers = ["word", "threshold", "said", "right", "there", "confidence given"]
    return table(headers, rows), seconds / max(1, len(pieces) - 1)


def moods() -> str:
    """How often likely moods contradict the genre, on the half that chose the thresholds and on the other."""
    halves: tuple[list[tuple[str, dict[str, float]]], ...] = ([], [])
    for path in sorted(SHARED.glob("genres/*/*.flac")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        patches = Patches(rate)
        patches.add(samples.mean(axis=1))
        means = patches.tags()
        levels = {
            word: max(float(means[model][TAGS[model].index(tag)]) for tag in tags)
            for word, (model, tags, _threshold, _confidence) in GROUPS["likely_moods"].items()
        }
        half = hashlib.sha256(path.name.encode()).digest()[0] % 2
        halves[half].append((path.parent.name, levels))
    rows: list[list[object]] = []
    for word, (_model, _tags, chosen, _confidence) in GROUPS["likely_moods"].items():
        for threshold in (0.1, 0.2, 0.3, 0.4):
            cells = []
            for clips in halves:
                said = [genre for genre, levels in clips if levels[word] >= threshold]
                cells.append(f"{len(said)}, {sum(genre in AGAINST[word] for genre in said)} contradicted")
            rows.append([word, f"**{threshold}**" if threshold == chosen else threshold, *cells])
    headers = [
        "word",
        "threshold",
        f"said of {len(halves[0])} clips (chosen on)",
        f"of {len(halves[1])} others",
    ]
    return table(headers, rows)


def main() -> None:
    """Run everything and print it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pieces = [
            rendered(source, midi, folder, number) for number, (source, midi) in enumerate(sources(folder))
        ]
        (seconds, ours), (their_seconds, theirs) = measured(pieces, by_ours, by_librosa)
        heard, heard_seconds = listening(pieces)
        long = four_minutes(pieces, folder)
        long_seconds, their_long = cpu_seconds(by_ours, long), cpu_seconds(by_librosa, long)
    each, their_each = seconds / len(pieces), their_seconds / len(pieces)
    text = (
        f"{len(pieces)} files of up to {SECONDS} s, stereo, 44.1 kHz; CPU time in one thread, decoding "
        "included. The pitch classes of librosa's chroma go through the same key profiles as ours.\n\n"
        + table(
            ["seconds", "musichelper, with the fingerprint", "librosa and pyloudnorm", "factor"],
            [
                ["these files", f"{each:.3f}", f"{their_each:.3f}", f"{their_each / each:.1f}"],
                [
                    "a track of four minutes (tempo and key from 90 s of it; librosa: from all)",
                    f"{long_seconds:.3f}",
                    f"{their_long:.3f}",
                    f"{their_long / long_seconds:.1f}",
                ],
                ["musicnn's two networks, 6 patches a track", f"{heard_seconds:.3f}", "", ""],
            ],
        )
        + "\nTempo within 4 % and key, by source:\n\n"
        + accuracy(ours, theirs)
        + "\nWhat the networks probably hear (a voice is never there in a rendering):\n\n"
        + heard
        + "\nMoods against the genre of clips: the half that chose the bold threshold, and the other:\n\n"
        + moods()
    )
    print(text)
    if "--write" in sys.argv:
        save("captions", text)


if __name__ == "__main__":
    if not os.environ.items() >= ONE_THREAD.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    main()
