"""Measuring a model on a folder of genre folders, by given lists or by leaving folds out; keeps nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

from assistant.audio.tags import read_tags
from assistant.classify.calibration import calibrate
from assistant.classify.choice import choose
from assistant.classify.lab import Fitted, Item, Lab, cross_fitted
from assistant.classify.models import AUTO, check_model
from assistant.classify.process import start_worker
from assistant.classify.report import HeldOut, Report, figures
from assistant.classify.split import PARTS, Member, groups_of, split_folds
from assistant.classify.training import check_settings, enough
from assistant.config import ClassifierSettings
from assistant.errors import CallError, FileError, MusicHelperError
from assistant.i18n import _
from assistant.workers import Emit

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".au", ".aif", ".aiff"}


def evaluate_folder(
    folder: Path,
    settings: ClassifierSettings,
    *,
    model: str = AUTO,
    lists: Sequence[Path] = (),
    folds: int = 0,
    leaky: bool = True,
    on_event: Emit | None = None,
) -> Report:
    """Train and test a model on the audio files of `folder`, each in a folder of its genre.

    With three `lists` (training, validation, test; a file a line, as of GTZAN's fault-filtered split) each
    file has the part that it is listed in, and the test part is looked at once. Else each file is tested
    by a model that was trained without its fold; 0 folds leave out one file at a time. Files of one artist
    or album, where tags tell, and those that sound the same are in one fold. Events are those of
    `train_classifier` and `{"event": "compared", "done", "total"}`. `auto` means `musicnn`.
    """
    model = "musicnn" if model == AUTO else check_model(model)
    check_settings(settings)
    items, missing, parts = _listed(folder, lists) if lists else (_files(folder), [], {})
    items, small = enough(items)
    started = time.monotonic()
    with TemporaryDirectory(prefix="musichelper-") as cache, start_worker() as worker:
        lab = Lab(worker, settings, Path(cache), on_event)
        items, left_out = lab.take_features(items, [model])
        items, emptied = enough(items)
        if not lists:
            items = lab.join_recordings(items)
        seconds = {"features": time.monotonic() - started}
        started = time.monotonic()
        genres = sorted({item.genre for item in items})
        outcome = (
            _by_lists(lab, model, items, genres, parts, settings)
            if lists
            else _by_folds(lab, model, items, genres, folds, settings.seed)
        )
        leaky_accuracy = lab.fit_leaky(model, items, genres) if leaky else None
    commonest = min(outcome.learned, key=lambda genre: (-outcome.learned[genre], genre))
    found = figures(genres, outcome.tested, genres.index(commonest))
    found["calibration"]["temperature"] = outcome.temperature
    numbers = Counter(parts[item.name] for item in items) if lists else Counter(test=len(items))
    segments = sum(one.heard.segments for one in outcome.tested)
    fitted = outcome.fitted
    return Report(
        **found,
        version="",
        model=model,
        leaky_accuracy=leaky_accuracy,
        split="lists" if lists else "folds",
        grouping=dict.fromkeys(genres, "lists") if lists else groups_of([i.member for i in items])[0],
        tracks={part: numbers[part] for part in PARTS},
        segments={"train": 0, "validation": 0, **(fitted.segments if fitted else {}), "test": segments},
        cross_validation={},
        left_out=missing + left_out,
        genres_left_out=sorted(small + emptied),
        epochs=fitted.epochs if fitted else 0,
        best_epoch=fitted.best_epoch if fitted else 0,
        valid_loss=fitted.valid_loss if fitted else None,
        seed=settings.seed,
        seconds={**seconds, "training": time.monotonic() - started},
        made=time.time(),
    )


@dataclass(frozen=True)
class _Outcome:
    tested: list[HeldOut]
    temperature: float
    learned: Counter[str]
    """Training tracks by genre."""
    fitted: Fitted | None = None
    """Where one model was tested."""


def _by_lists(
    lab: Lab,
    model: str,
    items: Sequence[Item],
    genres: list[str],
    parts: Mapping[str, str],
    settings: ClassifierSettings,
) -> _Outcome:
    places = {part: [p for p, item in enumerate(items) if parts[item.name] == part] for part in PARTS}
    for part in PARTS:
        if not places[part]:
            raise MusicHelperError(
                _("None of the files of a list can be used: {part}.").format(part=part),
                _("Check that the lists belong to this folder; the names are looked up in it."),
            )
    choice = choose(lab, [model], items, genres, places, settings)
    learned = Counter(items[place].genre for place in places["train"])
    return _Outcome(choice.tested, choice.calibration.temperature, learned, choice.fitted)


def _by_folds(
    lab: Lab, model: str, items: Sequence[Item], genres: list[str], count: int, seed: int
) -> _Outcome:
    folds = split_folds([item.member for item in items], count, seed)
    heard = lab.cross_validate(model, items, genres, folds)
    truth = [genres.index(item.genre) for item in items]
    tested = [
        HeldOut(item.name, label, one, shares)
        for item, label, one, shares in zip(
            items, truth, heard, cross_fitted(heard, truth, folds), strict=True
        )
    ]
    return _Outcome(tested, calibrate(heard, truth).temperature, Counter(item.genre for item in items))


def _files(folder: Path) -> list[Item]:
    if not folder.is_dir():
        raise FileError(
            folder,
            _("{folder} is not a folder.").format(folder=folder),
            _("Name a folder that holds a folder of audio files for each genre."),
        )
    paths = sorted(path for path in folder.glob("*/**/*") if path.suffix.lower() in SUFFIXES)
    items = []
    for path in paths:
        name = path.relative_to(folder)
        content = blake2b(str(name).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        tags = read_tags(path)
        member = Member(str(name), name.parts[0], tags.get("artist", ""), tags.get("album", ""))
        items.append(Item(path, content, member))
    return items


def _listed(folder: Path, lists: Sequence[Path]) -> tuple[list[Item], list[dict[str, str]], dict[str, str]]:
    """The listed files with their parts, found by folder and stem; those that are not there by name."""
    if len(lists) != len(PARTS):
        raise CallError(
            _("An evaluation needs three lists of files, not {count}.").format(count=len(lists)),
            _("Name those for training, validation and test, in this order."),
        )
    known = {(item.genre, Path(item.name).stem): item for item in _files(folder)}
    items, missing, parts = [], [], {}
    for part, path in zip(PARTS, lists, strict=True):
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise FileError(
                path,
                _("{path} cannot be read: {reason}.").format(path=path, reason=error),
                _("A list is a text file with a file a line, such as jazz/jazz.00012.wav."),
            ) from error
        for line in filter(None, map(str.strip, lines)):
            name = Path(line)
            item = known.get((name.parent.name, name.stem))
            if item is None:
                missing.append({"path": line, "reason": _("This file is listed and not there.")})
            elif item.name not in parts:
                items.append(item)
                parts[item.name] = part
    return items, missing, parts
