"""Does a fine-tune learn a style? Held-out loss and clips of the base against those of the tuned model.

    uv run python tests/bench/learning.py [--style metal] [--write]

A library of composed pieces of all genres is rendered, and the genre classifier is trained on it. The
built-in model is then fine-tuned, with the program's own settings, on new pieces of one style, which neither
has met. Both models make clips
from the same neutral prompts with the same seeds, and the classifier says how much of the style it hears in
them; pieces of the style and of the others, which are new to it too, show what it can hear at all. The
interval is of a bootstrap over the pairs of clips.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.results import save, table

PROMPTS = (
    "A piece of music.",
    "A short instrumental tune.",
    "An instrumental with a steady beat.",
    "Music with a melody over chords.",
)
PIECE_SECONDS = 20.0
TUNED_FROM = 900
"""Numbers of composed pieces from which on they are of the style alone."""


def compose_into(library: Any, genres: list[str], numbers: range) -> None:
    """Compose and render pieces, and take them in."""
    from assistant.intake.pipeline import run_once
    from assistant.symbolic.compose import compose
    from assistant.symbolic.midi import write_midi

    for genre in genres:
        (library.root / genre).mkdir(exist_ok=True)
        for number in numbers:
            write_midi(compose(genre, number, PIECE_SECONDS), library.root / genre / f"{genre}-{number}.mid")
    for _event in run_once(library):
        pass


def fine_tune(library: Any, name: str, **values: Any) -> list[dict[str, Any]]:
    """A fine-tune in this process; its events."""
    from assistant.musicgen.spec import FinetuneSpec
    from assistant.musicgen.training import finetune

    spec = FinetuneSpec(name=name, accumulation=1, crop_seconds=5.0, sample_every=0, **values).check()
    folder = library.paths.runs / name
    folder.mkdir(parents=True)
    return list(finetune(spec, library.root, folder, lambda: None))


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


def interval(differences: list[float]) -> tuple[float, float]:
    """Of their mean, 95 %, by bootstrap."""
    chooser = np.random.default_rng(0)
    values = np.array(differences)
    means = values[chooser.integers(len(values), size=(4000, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def learnt(place: Path, called: argparse.Namespace) -> str:
    """All of it; the tables."""
    from assistant.classify.training import train_classifier
    from assistant.config import Settings
    from assistant.library.library import create_library
    from assistant.musicgen.models import BUILT_IN

    began = time.monotonic()
    style = called.style
    with create_library(place / "all", Settings()) as everything:
        genres = [genre for genre in everything.settings.library.genres if genre in everything.genres()]
        compose_into(everything, genres, range(called.pieces))
        report = train_classifier(everything, model="musicnn")
        _say(began, "classifier trained")
        with create_library(place / "style", Settings()) as narrow:
            compose_into(narrow, [style], range(TUNED_FROM, TUNED_FROM + called.style_pieces))
            compose_into(narrow, [one for one in genres if one != style], range(TUNED_FROM, TUNED_FROM + 2))
            events = fine_tune(narrow, "tuned", genres=(style,), steps=called.steps, validate_every=20)
            _say(began, "tuned")
            (place / "clips").mkdir()
            tuned_model = str(narrow.paths.models / "tuned")
            found = [
                clips(everything, name, place / "clips", called.seeds) for name in (BUILT_IN, tuned_model)
            ]
            _say(began, "clips made")
            tracks = [(narrow.root / one.wav, one.path.parts[0]) for one in narrow.ledger.tracks() if one.wav]
        real = [path for path, genre in tracks if genre == style]
        other = [path for path, genre in tracks if genre != style]
        of_base, of_tuned = (heard(everything, paths, style) for paths in found)
        of_real, of_other = heard(everything, real, style), heard(everything, other, style)
    looks = [event for event in events if event["event"] == "validation"]
    best = min(looks, key=lambda event: event["loss"])
    start = next(event for event in events if event["event"] == "start")
    low, high = interval([b - a for a, b in zip(of_base, of_tuned, strict=True)])
    losses = table(
        ["held-out loss, nats", ""],
        [
            [f"base, on {start['held_out']} held-out pieces of {style}", f"{looks[0]['loss']:.4f}"],
            [
                f"tuned, after {best['step']} steps ({start['method']}, {start['precision']}) on "
                f"{start['tracks']} other pieces",
                f"{best['loss']:.4f}",
            ],
        ],
    )
    style_table = table(
        ["what the classifier heard", "files", f"mean probability of {style}", "above one half"],
        [
            [words, len(values), f"{np.mean(values):.3f}", f"{np.mean(np.array(values) > 0.5):.0%}"]
            for words, values in (
                ("clips of the base", of_base),
                ("clips of the tuned model, same prompts and seeds", of_tuned),
                (f"rendered pieces of {style}, which it has not met", of_real),
                ("rendered pieces of the other genres, just as new to it", of_other),
            )
        ],
    )
    return (
        f"The base is the built-in model, `{BUILT_IN}`. "
        f"Classifier: {report.accuracy:.0%} of held-out tracks right, chance {report.chance:.0%}. "
        f"{time.monotonic() - began:.0f} s in all.\n\n{losses}\n{style_table}\n"
        f"Tuned minus base: {np.mean(of_tuned) - np.mean(of_base):+.3f}, "
        f"95 % between {low:+.3f} and {high:+.3f}.\n"
    )


def _say(began: float, words: str) -> None:
    print(f"{words} after {time.monotonic() - began:.0f} s", file=sys.stderr)


def main() -> None:
    """Measure and print; with --write also into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--style", default="metal")
    parser.add_argument("--pieces", type=int, default=6, help="of each genre, for the classifier")
    parser.add_argument("--style-pieces", type=int, default=24, help="to fine-tune on")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=8, help="of each prompt")
    parser.add_argument("--write", action="store_true")
    called = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        words = learnt(Path(place), called)
    print(words)
    if called.write:
        save("learning", words)


if __name__ == "__main__":
    main()
