"""What the classifiers are worth on real clips of ten genres, and how many decisions labelling takes.

    uv run python tests/bench/classifier.py [--write] [--folder FOLDER] [--parts musicnn cnn cnn-mel …]

`musicnn`, `cnn` and `cnn-mel`: each clip is tested by a model that was trained without it, one clip left out
at a time for `musicnn`, one fifth of them (--folds) for the networks, which take minutes to train. The clips
have no tags, so the split is by track; temperatures are fitted on the other folds. With --lists TRAIN VALID
TEST the folder is measured by these lists instead (GTZAN's fault-filtered protocol, for who has its audio).
`features`: what each kind of features in `musicnn` is worth alone. `none`: telling a genre that was left out.
`labelling`: decisions until nearly all lie in the right folder. `scores`: rendered MIDI files of real pieces,
the split by composer or band where the file's name tells it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile

from assistant.audio.decode import Sound
from assistant.classify import head, novelty
from assistant.classify.calibration import Heard
from assistant.classify.evaluate import SUFFIXES, evaluate_folder
from assistant.classify.features import FeatureSpec, Source, extract_all
from assistant.classify.heard import BLOCKS
from assistant.classify.lab import cross_fitted
from assistant.classify.report import HeldOut, Report, figures
from assistant.classify.segments import Floats, Integers, Segments
from assistant.config import ClassifierSettings
from assistant.errors import FileError
from tests.bench.results import save, table

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDS_FOR_NOVELTY = 5
SEEDS = 10
WANTED = 0.95
SCORES = {"classical": "irealva/classical", "rock": "irealva/rock", "folk": "nottingham", "pop": "pop909"}
MOST_SCORES = 40
SCORE_START, SCORE_SECONDS = 10.0, 9.2
MODELS = ("musicnn", "cnn", "cnn-mel")
PARTS = (*MODELS, "features", "none", "labelling", "scores")
CALIBRATION = ["ECE", "its 95 % interval", "ECE if perfect", "right at p ≥ 0.9"]


def calibration_cells(found: dict[str, Any]) -> list[str]:
    """The cells under the heads `CALIBRATION`."""
    low, high = found["ece_interval"]
    sure = found["sure"]
    right = "" if sure["accuracy"] is None else f"{sure['accuracy']:.0%} of {sure['tracks']}"
    return [f"{found['ece']:.3f}", f"{low:.3f}–{high:.3f}", f"{found['ece_perfect']:.3f}", right]


def model_table(report: Report, folds: int, seconds: float) -> str:
    """The figures of a model."""
    low, high = report.accuracy_interval
    if report.split == "lists":
        tested = f"{report.tracks['test']} listed"
    else:
        tested = f"{report.tracks['test']}, " + ("one left out" if folds == 0 else f"{folds} folds")
    heads = ["model", "tested on", "right (95 % interval)", "in the first three", "by segments (leaky)"]
    row = [
        report.model,
        tested,
        f"{report.accuracy:.1%} ({low:.0%}–{high:.0%})",
        f"{report.top3_accuracy:.1%}",
        "" if report.leaky_accuracy is None else f"{report.leaky_accuracy:.1%}",
        f"{report.chance:.0%}",
        f"{report.majority:.0%}",
        *calibration_cells(report.calibration),
        f"{seconds:.0f}",
    ]
    return table([*heads, "chance", "largest genre", *CALIBRATION, "seconds"], [row])


def vectors_of(folder: Path) -> tuple[list[Floats], Integers]:
    """The `musicnn` features of each clip, and its genre as a number."""
    paths = sorted(path for path in folder.glob("*/*") if path.suffix in SUFFIXES)
    names = sorted({path.parent.name for path in paths})
    found = dict(extract_all([Source(path) for path in paths], FeatureSpec("musicnn"), None, 0))
    usable = [place for place in sorted(found) if not isinstance(found[place], FileError)]
    labels = np.array([names.index(paths[place].parent.name) for place in usable], np.int64)
    return [np.asarray(found[place]) for place in usable], labels


def segments_of(vectors: list[Floats], labels: Integers) -> Segments:
    """Tracks as a model is trained on them."""
    counts = [len(one) for one in vectors]
    tracks = np.repeat(np.arange(len(vectors)), counts)
    return Segments(np.concatenate(vectors), np.repeat(labels, counts), tracks)


def features_table(vectors: list[Floats], labels: Integers) -> str:
    """Each kind of features alone and all together, one clip left out at a time."""
    kinds: dict[str, Sequence[slice]] = {name: [block] for name, block in BLOCKS.items()}
    kinds["tags and embedding"] = [BLOCKS["tags"], BLOCKS["embedding"]]
    kinds["colour and rhythm"] = [BLOCKS["colour"], BLOCKS["rhythm"]]
    kinds["all together"] = list(BLOCKS.values())
    classes, rows = int(labels.max()) + 1, []
    for name, blocks in kinds.items():
        heard = []
        for place, own in enumerate(vectors):
            others = [p for p in range(len(vectors)) if p != place]
            model = head.fit(segments_of([vectors[p] for p in others], labels[others]), classes, 0, blocks)
            logs = model.hear(own)[0]
            votes = np.bincount(logs.argmax(axis=1), minlength=classes)
            heard.append(Heard(logs.mean(axis=0).tolist(), votes.tolist(), 0.0))
        truth = labels.tolist()
        shares = cross_fitted(heard, truth, list(range(len(truth))))
        tested = [HeldOut("", *one) for one in zip(truth, heard, shares, strict=True)]
        found = figures([str(number) for number in range(classes)], tested, 0)
        low, high = found["accuracy_interval"]
        loss = -np.mean([np.log(share[label]) for share, label in zip(shares, truth, strict=True)])
        right = f"{found['accuracy']:.1%} ({low:.0%}–{high:.0%})"
        rows.append([name, right, f"{loss:.3f}", *calibration_cells(found["calibration"])])
        print(*rows[-1], sep=" | ", flush=True)
    return table(["features", "right (95 % interval)", "log loss", *CALIBRATION], rows)


def none_of_these(vectors: list[Floats], labels: Integers) -> list[float]:
    """For each genre the area under the ROC curve of telling it from the others where it is left out."""
    from sklearn.metrics import roc_auc_score

    areas = []
    classes = int(labels.max()) + 1
    for genre in range(classes):
        known, unknown = np.flatnonzero(labels != genre), np.flatnonzero(labels == genre)
        folds = np.random.default_rng(0).permutation(len(known)) % FOLDS_FOR_NOVELTY
        of_known, of_unknown = np.zeros(len(known)), np.zeros(len(unknown))
        for fold in range(FOLDS_FOR_NOVELTY):
            train = known[folds != fold]
            model = head.fit(segments_of([vectors[p] for p in train], labels[train]), classes)
            embed = [model.hear(one)[1] for one in vectors]
            strange = novelty.fit(np.stack([embed[p] for p in train]), labels[train])
            inside = np.flatnonzero(folds == fold)
            of_known[inside] = [strange.distance(embed[known[p]]) for p in inside]
            of_unknown += [strange.distance(embed[p]) / FOLDS_FOR_NOVELTY for p in unknown]
        truth = np.r_[np.zeros(len(known)), np.ones(len(unknown))]
        areas.append(float(roc_auc_score(truth, np.r_[of_known, of_unknown])))
    return areas


def decisions_needed(means: Floats, labels: Integers, order: str, seed: int) -> int:
    """How many of the tracks a person decides on until 95 % lie in the right folder.

    One track of each genre is decided on first; after each decision the head is trained anew.
    """
    draw = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    decided = [int(draw.choice(np.flatnonzero(labels == genre))) for genre in range(classes)]
    vectors = [one[None] for one in means]
    while True:
        model = head.fit(segments_of([vectors[p] for p in decided], labels[decided]), classes)
        logs = model.hear(means)[0]
        rest = np.setdiff1d(np.arange(len(labels)), decided)
        right = len(decided) + int((logs[rest].argmax(1) == labels[rest]).sum())
        if right >= WANTED * len(labels):
            return len(decided)
        if order == "random":
            decided.append(int(draw.choice(rest)))
            continue
        shares = np.sort(np.exp(logs[rest]), axis=1)
        decided.append(int(rest[np.argmin(shares[:, -1] - shares[:, -2])]))


def labelling_table(vectors: list[Floats], labels: Integers) -> str:
    """Decisions in both orders."""
    means = np.stack([one.mean(axis=0) for one in vectors])
    rows = []
    for order in ("margin", "random"):
        needed = [decisions_needed(means, labels, order, seed) for seed in range(SEEDS)]
        rows.append([order, f"{np.mean(needed):.1f}", min(needed), max(needed)])
    return (
        f"Decisions until {WANTED:.0%} of {len(labels)} clips lie in the right folder, of which the first "
        f"ten are one of each genre, in {SEEDS} draws:\n\n" + table(["order", "mean", "least", "most"], rows)
    )


def render_scores(folder: Path) -> None:
    """WAV files of MIDI files by genre, the composer or band as the artist where the name tells it."""
    from assistant.audio.render import open_midi
    from assistant.errors import MusicHelperError

    for genre, place in SCORES.items():
        files = sorted((DATA / "midi" / place).rglob("*.mid"))
        (folder / genre).mkdir()
        for number, path in enumerate(files[:: max(1, len(files) // MOST_SCORES)][:MOST_SCORES]):
            try:
                sound, _facts = open_midi(path, "", 3600)
                samples = np.concatenate(list(take(sound, SCORE_START + SCORE_SECONDS)))
            except MusicHelperError as error:
                print(path, error.title)
                continue
            wanted = round(SCORE_SECONDS * sound.rate)
            samples = samples[-wanted:] * 0.7 / max(1e-6, float(np.abs(samples).max()))
            with soundfile.SoundFile(folder / genre / f"{number}.wav", "w", sound.rate, 2) as file:
                if "irealva" in place:
                    file.artist = path.name.partition(".")[0]
                file.write(samples)


def take(sound: Sound, seconds: float) -> Iterator[Floats]:
    """The beginning of a sound."""
    left = round(seconds * sound.rate)
    for block in sound.blocks():
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return


def scores_table(folds: int) -> str:
    """`musicnn` on rendered scores."""
    with tempfile.TemporaryDirectory() as folder:
        render_scores(Path(folder))
        started = time.perf_counter()
        report = evaluate_folder(Path(folder), ClassifierSettings(), model="musicnn", folds=folds)
    kept = ", ".join(f"{genre} by {level}" for genre, level in report.grouping.items())
    return f"{model_table(report, folds, time.perf_counter() - started)}\nTogether in a fold: {kept}.\n"


def novelty_text(vectors: list[Floats], labels: Integers) -> str:
    """The areas in words."""
    areas = none_of_these(vectors, labels)
    return (
        f"{len(labels)} clips. A genre left out is told from the known ones with an area under the ROC "
        f"curve of {np.mean(areas):.3f} in the mean ({min(areas):.2f} to {max(areas):.2f} by genre).\n"
    )


def main() -> None:
    """Measure and print; with --write each part also into its section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--folder", type=Path, default=DATA / "genres")
    parser.add_argument("--lists", type=Path, nargs=3, default=[])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--folds", type=int, default=5, help="of the networks and the scores")
    parser.add_argument("--epochs", type=int, default=50, help="of the networks")
    parser.add_argument("--no-leaky", action="store_true", help="do not measure a split by segments")
    called = parser.parse_args()
    vectors: list[Floats] = []
    labels: Integers = np.empty(0, np.int64)
    for part in called.parts:
        if part in ("features", "none", "labelling") and not vectors:
            vectors, labels = vectors_of(called.folder)
        if part in MODELS:
            folds, started = 0 if part == "musicnn" else called.folds, time.perf_counter()
            report = evaluate_folder(
                called.folder,
                ClassifierSettings(epochs=called.epochs),
                model=part,
                folds=folds,
                lists=called.lists,
                leaky=not called.no_leaky,
            )
            text = model_table(report, folds, time.perf_counter() - started)
            if part != "musicnn":
                text += f"\n{called.epochs} epochs at most.\n"
        elif part == "scores":
            text = scores_table(called.folds)
        else:
            make = {"features": features_table, "none": novelty_text, "labelling": labelling_table}[part]
            text = make(vectors, labels)
        print(text, flush=True)
        if called.write:
            save(f"classifier {part}", text)


if __name__ == "__main__":
    main()
