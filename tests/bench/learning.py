"""Does a fine-tune learn a style? Held-out loss and clips of the base against those of the tuned model.

    uv run python tests/bench/learning.py [--style metal | --style folk --midi FOLDER] [--write]

A library of composed pieces of all genres is rendered, and the genre classifier is trained on it. The
built-in model is then fine-tuned, with the program's own settings and several seeds, on new pieces of one
style; with `--midi` on MIDI files of a style that it has never learnt from. Which step of a fine-tune is
exported is decided by the pieces that it holds out itself; the losses in the table are of further pieces,
which no part of it has met, in windows as long as its crops. Base and tuned models make clips from the same
neutral prompts with the same seeds, and the classifier says how much of the style it hears in them; pieces
of the style and of the others, which are new to it too, show what it can hear at all. The intervals are of a
bootstrap over pieces, and over pairs of clips.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.results import save, table

PROMPTS = (
    "A piece of music.",
    "A short instrumental tune.",
    "An instrumental with a steady beat.",
    "Music with a melody over chords.",
)
PIECE_SECONDS, CROP_SECONDS, WINDOWS = 20.0, 5.0, 4
CLASSIFIED, LEARNT, HELD_OUT = 0, 900, 950
"""The first numbers of composed pieces: for the classifier, for the fine-tune, and for neither."""


def pieces_into(library: Any, numbers: Mapping[str, range], files: Mapping[str, list[Path]]) -> None:
    """Render the pieces of these numbers, by genre, and take them in: from the genre's MIDI `files`, or
    composed where it has none."""
    from assistant.intake.pipeline import run_once
    from assistant.symbolic.compose import compose
    from assistant.symbolic.midi import write_midi

    for genre, some in numbers.items():
        (library.root / genre).mkdir(exist_ok=True)
        for number in some:
            path = library.root / genre / f"{genre}-{number}.mid"
            if genre in files:
                shutil.copy(files[genre][number], path)
            else:
                write_midi(compose(genre, number, PIECE_SECONDS), path)
    for _event in run_once(library):
        pass


def fine_tune(library: Any, name: str, **values: Any) -> list[dict[str, Any]]:
    """A fine-tune in this process; its events."""
    from assistant.musicgen.spec import FinetuneSpec
    from assistant.musicgen.training import finetune

    spec = FinetuneSpec(name=name, accumulation=1, crop_seconds=CROP_SECONDS, sample_every=0, **values)
    folder = library.paths.runs / name
    folder.mkdir(parents=True)
    return list(finetune(spec.check(), library.root, folder, lambda: None))


def losses(library: Any, model: str) -> NDArray[np.float64]:
    """A model's loss in nats on every track of a library with its caption: the means of the windows of
    each."""
    import torch

    from assistant.musicgen import loading
    from assistant.musicgen.dataset import Batch, choose_examples
    from assistant.musicgen.encode import encode_library
    from assistant.musicgen.learner import Learner
    from assistant.musicgen.models import model_folder
    from assistant.musicgen.plan import Plan
    from assistant.musicgen.spec import FinetuneSpec
    from assistant.musicgen.texts import read_texts

    cache, summary = encode_library(library, model, "cpu", lambda _done, _total: None)
    lm = loading.load_lm(model, model_folder(model, library.paths), torch.device("cpu"), torch.float32)
    learner = Learner(lm, FinetuneSpec(name="look"), Plan("full", 0, 0.0, 1, 1, False, 0, ()), torch.float32)
    frames = int(CROP_SECONDS * summary["frame_rate"])
    found = []
    for example in choose_examples(library, FinetuneSpec(name="look")):
        tokens = cache.read(example.content).astype(np.int64)
        text = read_texts(library.root, example.caption, example.genre).caption
        starts = range(0, min(tokens.shape[1], WINDOWS * frames) - frames + 1, frames)
        windows = [tokens[None, :, start : start + frames] for start in starts]
        found.append(np.mean([learner.evaluate(Batch(window, [text])).mean for window in windows]))
    return np.array(found)


def clips(library: Any, model: str, out: Path, seeds: int) -> list[Path]:
    """Clips from each prompt with each seed."""
    from assistant.musicgen.spec import GenerateSpec
    from assistant.serving.client import Generator

    made = []
    with Generator(library) as generator:
        for number, prompt in enumerate(PROMPTS):
            spec = GenerateSpec(
                prompt=prompt, model=model, duration=5.0, seed=100 * number, count=seeds, out=str(out)
            )
            made += [Path(clip.path) for clip in generator.generate(spec)]
    return made


def heard(library: Any, paths: list[Path], style: str) -> list[float]:
    """The probability of the style in each file."""
    from assistant.classify.predict import predict

    return [dict(found.top).get(style, 0.0) for found in predict(library, paths)]


def interval(differences: Sequence[float]) -> str:
    """Their mean, and between what it lies with 95 % by bootstrap."""
    chooser = np.random.default_rng(0)
    values = np.array(differences)
    means = values[chooser.integers(len(values), size=(4000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{values.mean():+.3f}, 95 % between {low:+.3f} and {high:+.3f}"


def learnt(place: Path, called: argparse.Namespace) -> str:
    """All of it; the tables."""
    from assistant.classify.training import train_classifier
    from assistant.config import Settings
    from assistant.library.library import create_library
    from assistant.musicgen.models import BUILT_IN
    from assistant.symbolic.compose import GENRES

    began, style = time.monotonic(), called.style
    genres = sorted({*GENRES, style})
    files: dict[str, list[Path]] = {}
    first = {"classified": CLASSIFIED, "learnt": LEARNT, "held out": HELD_OUT}
    if called.midi:
        files[style] = sorted(called.midi.rglob("*.mid"))
        random.Random(0).shuffle(files[style])
        first = {"classified": 0, "learnt": called.pieces, "held out": called.pieces + called.style_pieces}
    numbers = {
        "classified": range(first["classified"], first["classified"] + called.pieces),
        "learnt": range(first["learnt"], first["learnt"] + called.style_pieces),
        "held out": range(first["held out"], first["held out"] + called.held_out),
    }
    with (
        create_library(place / "all", Settings()) as everything,
        create_library(place / "style", Settings()) as narrow,
        create_library(place / "held-out", Settings()) as new,
        create_library(place / "others", Settings()) as others,
    ):
        composed = range(CLASSIFIED, CLASSIFIED + called.pieces)
        pieces_into(
            everything, {one: numbers["classified"] if one == style else composed for one in genres}, files
        )
        report = train_classifier(everything, model="musicnn")
        _say(began, "classifier trained")
        pieces_into(narrow, {style: numbers["learnt"]}, files)
        pieces_into(new, {style: numbers["held out"]}, files)
        pieces_into(others, {one: range(HELD_OUT, HELD_OUT + 2) for one in genres if one != style}, files)
        of_base, tuned, starts, steps = losses(new, BUILT_IN), [], [], []
        (place / "clips").mkdir()
        made = [clips(everything, BUILT_IN, place / "clips", called.seeds)]
        for seed in range(called.tunes):
            events = fine_tune(narrow, f"tuned-{seed}", steps=called.steps, validate_every=20, seed=seed)
            starts.append(next(event for event in events if event["event"] == "start"))
            looks = [event for event in events if event["event"] == "validation"]
            steps.append(min(looks, key=lambda event: event["loss"])["step"])
            model = str(narrow.paths.models / f"tuned-{seed}")
            tuned.append(losses(new, model))
            made.append(clips(everything, model, place / "clips", called.seeds))
            _say(began, f"tuned with seed {seed}")
        base, *clips_of_tuned = (heard(everything, paths, style) for paths in made)
        real, other = (
            heard(everything, [library.root / one.wav for one in library.ledger.tracks() if one.wav], style)
            for library in (new, others)
        )
    how = f"{starts[0]['method']}, {starts[0]['precision']}, {starts[0]['tracks']} pieces"
    known = "has never learnt from" if called.midi else "knows from other pieces"
    return (
        f"The base is the built-in model, `{BUILT_IN}`; {style} is a style that it {known}. "
        f"Classifier: {report.accuracy:.0%} of held-out tracks right, chance {report.chance:.0%}. "
        f"{time.monotonic() - began:.0f} s in all.\n\n"
        f"{loss_words(of_base, tuned, steps, how)}\n"
        f"{style_words(style, base, clips_of_tuned, real, other)}"
    )


def loss_words(
    of_base: NDArray[np.float64], tuned: list[NDArray[np.float64]], steps: list[int], how: str
) -> str:
    """The losses on held-out pieces, of the base and of the fine-tunes, whose exported `steps` these are."""
    rows = [["base", f"{of_base.mean():.3f}", "", "", ""]]
    for seed, (found, step) in enumerate(zip(tuned, steps, strict=True)):
        away = found - of_base
        fell = f"{int((away < 0).sum())} of {len(away)}"
        rows.append(
            [f"tuned ({how}), seed {seed}", f"{found.mean():.3f}", str(step), interval(away.tolist()), fell]
        )
    by_piece = (np.mean(tuned, axis=0) - of_base).tolist()
    headers = ["held-out loss, nats", "mean", "exported step", "tuned minus base", "pieces that fell"]
    return (
        f"{table(headers, rows)}\n"
        f"The mean of the seeds minus the base, on {len(of_base)} held-out pieces: {interval(by_piece)}.\n"
    )


def style_words(
    style: str, base: list[float], tuned: list[list[float]], real: list[float], other: list[float]
) -> str:
    """What the classifier heard in clips, by pairs of a prompt and a seed, and in pieces."""
    rows = [
        [words, len(values), f"{np.mean(values):.3f}", f"{np.mean(np.array(values) > 0.5):.0%}"]
        for words, values in (
            ("clips of the base", base),
            (f"clips of the {len(tuned)} tuned models, same prompts and seeds", list(chain(*tuned))),
            (f"rendered pieces of {style}, which it has not met", real),
            ("rendered pieces of the other genres, just as new to it", other),
        )
    ]
    headers = ["what the classifier heard", "files", f"mean probability of {style}", "above one half"]
    by_pair = (np.mean(tuned, axis=0) - base).tolist()
    return (
        f"{table(headers, rows)}\n"
        f"Probability, the mean of the tuned models minus the base: {interval(by_pair)}.\n"
    )


def _say(began: float, words: str) -> None:
    print(f"{words} after {time.monotonic() - began:.0f} s", file=sys.stderr)


def main() -> None:
    """Measure and print; with --write also into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--style", default="metal")
    parser.add_argument("--midi", type=Path, help="a folder of MIDI files of the style, in place of rules")
    parser.add_argument("--pieces", type=int, default=6, help="of each genre, for the classifier")
    parser.add_argument("--style-pieces", type=int, default=24, help="to fine-tune on")
    parser.add_argument("--held-out", type=int, default=10, help="of the style, for the losses")
    parser.add_argument("--tunes", type=int, default=3, help="fine-tunes, each with a seed of its own")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=8, help="of each prompt")
    parser.add_argument("--write", action="store_true")
    called = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        words = learnt(Path(place), called)
    print(words)
    if called.write:
        save(f"learning {called.style}", words)


if __name__ == "__main__":
    main()
