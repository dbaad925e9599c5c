"""What the classifiers are worth on real clips of ten genres, and how many decisions labelling takes.

    uv run python tests/bench/classifier.py [--write] [--folder FOLDER] [--models musicnn cnn cnn-mel]

Each clip is tested by a model that was trained without it: one clip left out at a time for `musicnn`, one
fifth of them (--folds) for the networks, which take minutes to train. There are no tags, so the split is by
track. Temperatures are fitted on the other folds. With --lists TRAIN VALID TEST the folder is measured by
these lists instead (GTZAN's fault-filtered protocol, for who has its audio).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from assistant.classify import head, novelty
from assistant.classify.evaluate import SUFFIXES, evaluate_folder
from assistant.classify.features import FeatureSpec, Source, extract_all
from assistant.classify.report import Report
from assistant.classify.segments import Floats, Integers, Segments
from assistant.config import ClassifierSettings
from assistant.errors import FileError
from tests.bench.results import save, table

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "genres"
FOLDS_FOR_NOVELTY = 5
SEEDS = 10
WANTED = 0.95


def model_row(report: Report, folds: int, seconds: float) -> list[str]:
    """A line of the table of models."""
    low, high = report.accuracy_interval
    sure = report.calibration["sure"]
    right = "" if sure["accuracy"] is None else f"{sure['accuracy']:.0%} of {sure['tracks']}"
    if report.split == "lists":
        tested = f"{report.tracks['test']} listed"
    else:
        tested = "one left out" if folds == 0 else f"{folds} folds"
    leaky = "" if report.leaky_accuracy is None else f"{report.leaky_accuracy:.1%}"
    return [
        report.model,
        tested,
        f"{report.accuracy:.1%} ({low:.0%}–{high:.0%})",
        f"{report.top3_accuracy:.1%}",
        leaky,
        f"{report.chance:.0%}",
        f"{report.majority:.0%}",
        f"{report.calibration['ece']:.3f}",
        right,
        f"{seconds:.0f}",
    ]


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


def main() -> None:
    """Measure and print; with --write also into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--lists", type=Path, nargs=3, default=[])
    parser.add_argument("--models", nargs="*", default=["musicnn", "cnn", "cnn-mel"])
    parser.add_argument("--folds", type=int, default=5, help="of the networks")
    parser.add_argument("--no-labelling", action="store_true")
    called = parser.parse_args()
    rows = []
    for model in called.models:
        folds, started = 0 if model == "musicnn" else called.folds, time.perf_counter()
        report = evaluate_folder(
            called.folder, ClassifierSettings(), model=model, folds=folds, lists=called.lists
        )
        rows.append(model_row(report, folds, time.perf_counter() - started))
        print(*rows[-1], sep=" | ", flush=True)
    heads = ["model", "tested on", "right (95 % interval)", "in the first three", "split by segments (leaky)"]
    heads += ["chance", "largest genre", "ECE", "right at p ≥ 0.9", "seconds"]
    text = table(heads, rows)
    if not called.no_labelling:
        vectors, labels = vectors_of(called.folder)
        areas = none_of_these(vectors, labels)
        means = np.stack([one.mean(axis=0) for one in vectors])
        needed = {
            order: [decisions_needed(means, labels, order, seed) for seed in range(SEEDS)]
            for order in ("margin", "random")
        }
        text += (
            f"\n{len(labels)} clips. A genre left out is told from the known ones with an area under the ROC "
            f"curve of {np.mean(areas):.3f} in the mean ({min(areas):.2f} to {max(areas):.2f} by genre).\n\n"
            f"Decisions until {WANTED:.0%} of the clips lie in the right folder, of which the first ten are "
            "one of each genre:\n\n"
        )
        text += table(
            ["order", "mean", "least", "most"],
            [[order, f"{np.mean(n):.1f}", min(n), max(n)] for order, n in needed.items()],
        )
    print(text)
    if called.write:
        save("classifier", text)


if __name__ == "__main__":
    main()
