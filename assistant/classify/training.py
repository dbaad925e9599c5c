"""Training the genre classifier on the genre folders."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.classify.features import FEATURES_VERSION
from assistant.classify.process import features_request, source, start_worker
from assistant.classify.report import (
    Report,
    confusion_matrix,
    figures_per_genre,
    wilson_interval,
    write_report,
)
from assistant.classify.split import FEWEST_PER_GENRE, PARTS, Member, Split, split_tracks
from assistant.classify.store import Description, new_version, write_description
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.workers import Worker

MODEL = "mfcc-cnn"
OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Example:
    """A track with its genre."""

    track: Track
    genre: str

    @property
    def name(self) -> str:
        """Its own name in a split."""
        return str(self.track.path)


def train_classifier(library: Library, on_event: OnEvent | None = None) -> Report:
    """Train a new version on the tracks in genre folders and measure it on held-out tracks.

    Events: `{"event": "features", "done", "total"}`, then for each epoch `{"event": "epoch", "epoch",
    "epochs", "loss", "accuracy", "valid_loss", "valid_accuracy"}`. An exception raised by `on_event`
    ends the work and leaves nothing behind but cached features. Raises `MusicHelperError` where
    there are too few tracks and `CallError` for settings that make no training.
    """
    _check_settings(library)
    examples, left_out = collect(library)
    examples, small = _enough(examples)
    with start_worker() as worker:
        started = time.monotonic()
        examples, unreadable = _with_features(library, worker, examples, on_event)
        left_out += unreadable
        features_seconds = time.monotonic() - started
        examples, emptied = _enough(examples)
        settings = library.settings.classifier
        split = split_tracks(
            [Member(e.name, e.genre, e.track.artist, e.track.album) for e in examples],
            settings.validation_share,
            settings.test_share,
            settings.seed,
        )
        genres = sorted({example.genre for example in examples})
        with new_version(library) as (version, folder):
            request = {
                **features_request(library, []),
                "folder": str(folder),
                "classes": len(genres),
                "epochs": settings.epochs,
                "batch_size": settings.batch_size,
                "learning_rate": settings.learning_rate,
                "seed": settings.seed,
                "tracks": [
                    {
                        **_source(library, example),
                        "label": genres.index(example.genre),
                        "part": split.parts[example.name],
                    }
                    for example in examples
                ],
            }
            answer = worker.call("train", request, on_event=on_event)
            write_description(folder, Description(genres, settings.segment_seconds, FEATURES_VERSION))
            report = _report(
                version,
                genres,
                examples,
                split,
                answer,
                left_out,
                sorted(small + emptied),
                settings.seed,
                features_seconds,
            )
            write_report(folder, report)
    return report


def collect(library: Library) -> tuple[list[Example], list[dict[str, str]]]:
    """The ready tracks of the genre folders, and those that are of no use, with the reason.

    Of files with the same bytes in one genre one is taken; the same bytes in two genres contradict
    each other and are left out.
    """
    examples, left_out = [], []
    by_content: dict[str, list[Example]] = defaultdict(list)
    for track in library.ledger.tracks(state="ready"):
        genre = library.genre_of(track.path)
        if genre is not None and track.wav is not None:
            by_content[track.content].append(Example(track, genre))
    for same in by_content.values():
        if len({example.genre for example in same}) > 1:
            left_out += [_left_out(e, _("The same recording lies in two genres.")) for e in same]
            continue
        examples.append(same[0])
        reason = _("It is the same recording as {path}.").format(path=same[0].track.path)
        left_out += [_left_out(example, reason) for example in same[1:]]
    return examples, left_out


def _check_settings(library: Library) -> None:
    settings = library.settings.classifier
    if settings.epochs < 1 or settings.batch_size < 1 or settings.learning_rate <= 0:
        raise CallError(
            _("The classifier cannot train with the configured epochs, batch size or learning rate."),
            _("Give classifier.epochs, batch_size and learning_rate numbers above zero."),
        )
    if settings.segment_seconds < 1 or settings.validation_share + settings.test_share >= 1:
        raise CallError(
            _("The classifier cannot train with the configured segments or shares."),
            _("Segments last 1 s at least; validation_share and test_share together stay below 1."),
        )


def _enough(examples: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """The examples of genres with enough tracks, and the other genres. Raises where too few are left."""
    counts = Counter(example.genre for example in examples)
    small = sorted(genre for genre, count in counts.items() if count < FEWEST_PER_GENRE)
    if len(counts) - len(small) < 2:
        found = ", ".join(f"{genre} {count}" for genre, count in sorted(counts.items()))
        raise MusicHelperError(
            _("There are too few labelled tracks to train a classifier."),
            _(
                "Put at least {fewest} tracks into each of two genre folders and run "
                "`musichelper watch --once`. Ready now: {found}."
            ).format(fewest=FEWEST_PER_GENRE, found=found or _("none")),
        )
    return [example for example in examples if example.genre not in small], small


def _with_features(
    library: Library, worker: Worker, examples: list[Example], on_event: OnEvent | None
) -> tuple[list[Example], list[dict[str, str]]]:
    request = features_request(library, [_source(library, example) for example in examples])
    results = worker.call("features", request, on_event=on_event)["results"]
    usable, left_out = [], []
    for example, result in zip(examples, results, strict=True):
        if "title" in result:
            left_out.append(_left_out(example, result["title"]))
        else:
            usable.append(example)
    return usable, left_out


def _source(library: Library, example: Example) -> dict[str, Any]:
    assert example.track.wav is not None
    return source(library.root / example.track.wav, example.track.content)


def _left_out(example: Example, reason: str) -> dict[str, str]:
    return {"path": str(example.track.path), "reason": reason}


def _report(
    version: str,
    genres: list[str],
    examples: list[Example],
    split: Split,
    answer: dict[str, Any],
    left_out: list[dict[str, str]],
    small: list[str],
    seed: int,
    features_seconds: float,
) -> Report:
    held_out = [example for example in examples if split.parts[example.name] == "test"]
    truth = [genres.index(example.genre) for example in held_out]
    found = [result["probabilities"] for result in answer["tested"]]
    named = [max(range(len(genres)), key=probabilities.__getitem__) for probabilities in found]
    right = sum(a == b for a, b in zip(truth, named, strict=True))
    trained = Counter(e.genre for e in examples if split.parts[e.name] == "train")
    commonest = min(trained, key=lambda genre: (-trained[genre], genre))
    matrix = confusion_matrix(truth, named, len(genres))
    test_segments = sum(result["segments"] for result in answer["tested"])
    parts = Counter(split.parts.values())
    return Report(
        version=version,
        model=MODEL,
        genres=genres,
        accuracy=right / len(held_out),
        accuracy_interval=wilson_interval(right, len(held_out)),
        chance=1 / len(genres),
        majority=sum(example.genre == commonest for example in held_out) / len(held_out),
        segment_accuracy=sum(result["right_segments"] for result in answer["tested"]) / test_segments,
        split="track",
        grouping=split.grouping,
        tracks={part: parts[part] for part in PARTS},
        segments={**answer["segments"], "test": test_segments},
        per_genre=figures_per_genre(genres, matrix),
        confusion=matrix,
        tested=[
            {
                "path": e.name,
                "genre": e.genre,
                "predicted": genres[index],
                "probability": probabilities[index],
            }
            for e, index, probabilities in zip(held_out, named, found, strict=True)
        ],
        left_out=left_out,
        genres_left_out=small,
        epochs=answer["epochs"],
        best_epoch=answer["best_epoch"],
        valid_loss=answer["valid_loss"],
        seed=seed,
        seconds={"features": features_seconds, "training": answer["seconds"]},
        made=time.time(),
    )
