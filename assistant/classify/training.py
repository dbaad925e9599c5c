"""Training the genre classifier on the genre folders."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.classify.choice import Choice, choose
from assistant.classify.features import FEATURES_VERSION
from assistant.classify.lab import Item, Lab
from assistant.classify.models import NETWORKS, candidates, check_model
from assistant.classify.process import start_worker
from assistant.classify.report import Report, figures, write_report
from assistant.classify.split import FEWEST_PER_GENRE, PARTS, Member, split_tracks
from assistant.classify.store import Description, features_folder, new_version, write_description
from assistant.config import ClassifierSettings
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _
from assistant.library.duplicates import leaders
from assistant.library.library import Library
from assistant.workers import Emit


def train_classifier(
    library: Library, on_event: Emit | None = None, *, model: str | None = None, leaky: bool | None = None
) -> Report:
    """Train a new version on the tracks in genre folders and measure it on held-out tracks.

    `model` is the configured one unless named. `leaky` measures the figure of a segment split too; unless
    asked for, only where that takes no second training of a network. Events: `{"event": "features", "done",
    "total"}`, `{"event": "fold", "model", "fold", "folds"}` in cross-validation, then for each epoch of a
    network `{"event": "epoch", "epoch", "epochs", "loss", "accuracy", "valid_loss", "valid_accuracy"}`. An
    exception raised by `on_event` ends the work and leaves nothing behind but cached features. Raises
    `MusicHelperError` where there are too few tracks and `CallError` for settings that make no training.
    """
    settings = library.settings.classifier
    model = check_model(model or settings.model)
    check_settings(settings)
    items, left_out = collect(library)
    items, small = enough(items)
    with start_worker() as worker:
        started = time.monotonic()
        lab = Lab(worker, settings, features_folder(library), on_event)
        models = candidates(model, Counter(item.genre for item in items))
        items, unreadable = lab.take_features(items, models)
        left_out += unreadable
        items, emptied = enough(items)
        seconds = {"features": time.monotonic() - started}
        with new_version(library) as (version, folder):
            report = _train(lab, settings, items, models, version, folder, leaky, seconds)
            report = report.with_left_out(left_out, sorted(small + emptied))
            write_report(folder, report)
    return report


def collect(library: Library) -> tuple[list[Item], list[dict[str, str]]]:
    """The ready tracks of the genre folders, and those that are of no use, with the reason.

    Of files with the same bytes or the same sound in one genre one is taken; the same recording in two
    genres contradicts itself and is left out. So are those that could not be read.
    """
    recordings = leaders((track, earlier) for track, earlier, _exact in library.ledger.duplicates())
    items = []
    left_out = [
        {"path": str(track.path), "reason": track.reason}
        for track in library.ledger.tracks(state="failed")
        if library.genre_of(track.path) is not None
    ]
    by_recording: dict[int, list[Item]] = defaultdict(list)
    for track in library.ledger.tracks(state="ready"):
        genre = library.genre_of(track.path)
        if genre is not None and track.wav is not None:
            member = Member(str(track.path), genre, track.artist, track.album)
            item = Item(library.root / track.wav, track.content, member)
            by_recording[recordings.get(track.id, track.id)].append(item)
    for same in by_recording.values():
        if len({item.genre for item in same}) > 1:
            reason = _("The same recording lies in two genres.")
            left_out += [{"path": item.name, "reason": reason} for item in same]
            continue
        items.append(same[0])
        reason = _("It is the same recording as {path}.").format(path=same[0].name)
        left_out += [{"path": item.name, "reason": reason} for item in same[1:]]
    return items, left_out


def check_settings(settings: ClassifierSettings) -> None:
    """Raises `CallError` for settings that make no training."""
    if settings.epochs < 1 or settings.batch_size < 1 or settings.learning_rate <= 0 or settings.folds < 2:
        raise CallError(
            _("The classifier cannot train with these epochs, batch size, learning rate or folds."),
            _("Give epochs, batch_size and learning_rate numbers above zero, and folds 2 at least."),
        )
    if settings.segment_seconds < 1 or settings.validation_share + settings.test_share >= 1:
        raise CallError(
            _("The classifier cannot train with the configured segments or shares."),
            _("Segments last 1 s at least; validation_share and test_share together stay below 1."),
        )


def enough(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """The items of genres with enough tracks, and the other genres. Raises where too few are left."""
    counts = Counter(item.genre for item in items)
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
    return [item for item in items if item.genre not in small], small


def _train(
    lab: Lab,
    settings: ClassifierSettings,
    items: list[Item],
    models: list[str],
    version: str,
    folder: Path,
    leaky: bool | None,
    seconds: dict[str, float],
) -> Report:
    started = time.monotonic()
    genres = sorted({item.genre for item in items})
    split = split_tracks(
        [item.member for item in items], settings.validation_share, settings.test_share, settings.seed
    )
    parts = {part: [p for p, i in enumerate(items) if split.parts[i.name] == part] for part in PARTS}
    choice = choose(lab, models, items, genres, parts, settings, folder)
    model = choice.model
    if model not in NETWORKS:  # measured once; what is used learns from the test tracks too
        lab.fit(model, items, genres, train=range(len(items)), validation=[], folder=folder)
    if leaky is None:
        leaky = model not in NETWORKS
    write_description(folder, _description(choice, genres, settings))
    return Report(
        **_figures(choice, items, genres, parts),
        version=version,
        model=model,
        leaky_accuracy=lab.fit_leaky(model, items, genres) if leaky else None,
        split="track",
        grouping=split.grouping,
        tracks={part: len(parts[part]) for part in PARTS},
        cross_validation=choice.cross_validation,
        left_out=[],
        genres_left_out=[],
        seed=settings.seed,
        seconds={**seconds, "training": time.monotonic() - started},
        made=time.time(),
    )


def _description(choice: Choice, genres: list[str], settings: ClassifierSettings) -> Description:
    return Description(
        choice.model,
        genres,
        settings.segment_seconds,
        settings.most_segments,
        FEATURES_VERSION,
        choice.calibration,
    )


def _figures(
    choice: Choice, items: Sequence[Item], genres: list[str], parts: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """The fields of the report that come from what was trained and tested."""
    fitted = choice.fitted
    trained = Counter(items[place].genre for place in parts["train"])
    commonest = min(trained, key=lambda genre: (-trained[genre], genre))
    found = figures(genres, choice.tested, genres.index(commonest))
    found["calibration"]["temperature"] = choice.calibration.temperature
    return {
        **found,
        "segments": {**fitted.segments, "test": sum(one.heard.segments for one in choice.tested)},
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "valid_loss": fitted.valid_loss,
    }
