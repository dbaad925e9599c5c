"""Genres of files and proposals for tracks without one, from the newest trained version."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assistant.classify.calibration import Heard
from assistant.classify.process import base_request, source, start_worker
from assistant.classify.report import Report
from assistant.classify.store import (
    Description,
    current_version,
    features_folder,
    read_description,
    version_folder,
)
from assistant.errors import FileError, MusicHelperError
from assistant.i18n import _
from assistant.library.ledger import STRANGE, Proposal, Track
from assistant.library.library import Library
from assistant.workers import Emit, Worker

OUTSIDE_AT_ONCE = 16
"""So many decoded files lie in the temporary folder at the same time."""

TRACKS_AT_ONCE = 64
"""So many are heard until their proposals are written."""


@dataclass(frozen=True)
class Prediction:
    """What a version thinks of a file, by a vote of its segments."""

    path: Path
    genre: str
    probability: float
    top: list[tuple[str, float]]
    """All genres with their probabilities, most likely first."""
    segments: int
    agreement: float
    """Share of the segments that name the genre."""
    strangeness: float
    """Share of known music that is nearer to its genres; from 0.95 on it is probably none of them."""
    likely: int
    """So many of the first of `top` hold the truth, as often as `classifier.set_level` says."""

    @property
    def none_of_these(self) -> bool:
        """It is farther from all genres than nearly all known music."""
        return self.strangeness >= STRANGE


@dataclass(frozen=True)
class SegmentGuess:
    """What a version hears in one stretch of a track."""

    start: float
    """Seconds into the track; of a track with silent stretches, about."""
    genre: str
    probability: float


class Predictor:
    """Predicts with the newest version; its worker process stays warm until `close`."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._worker: Worker = start_worker()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def report(self) -> Report:
        """The version in use. Raises `MusicHelperError` where nothing has been trained."""
        report = current_version(self._library)
        if report is None:
            raise MusicHelperError(
                _("There is no trained classifier yet."), _("Train one with `musichelper classifier train`.")
            )
        return report

    def predict(
        self, sources: Sequence[tuple[Path, str | None]], on_event: Emit | None = None
    ) -> list[Prediction | FileError]:
        """For each (readable audio file, content hash or None), the prediction or what is wrong with it."""
        report = self.report()
        if not sources:
            return []
        settings = self._library.settings.classifier
        folder = version_folder(self._library, report.version)
        description = read_description(folder)
        request = {
            **base_request(settings, features_folder(self._library)),
            "sources": [source(path, content) for path, content in sources],
            "folder": str(folder),
        }
        results = self._worker.call("predict", request, on_event=on_event)["results"]
        return [
            _prediction(path, result, description, settings.set_level)
            for (path, _content), result in zip(sources, results, strict=True)
        ]

    def segments(self, path: Path, content: str | None, duration: float) -> list[SegmentGuess]:
        """The likeliest genre of each segment of a readable audio file, in their order.

        The probabilities are those of the model for a segment alone, without calibration.
        Raises `MusicHelperError` for a file that cannot be heard.
        """
        folder = version_folder(self._library, self.report().version)
        description = read_description(folder)
        request = {
            **base_request(self._library.settings.classifier, features_folder(self._library)),
            "source": source(path, content),
            "folder": str(folder),
        }
        logs = self._worker.call("listen", request)["logs"]
        starts = description.feature_spec.starts(duration)
        if len(starts) != len(logs):
            starts = [duration * place / len(logs) for place in range(len(logs))]
        guesses = []
        for start, row in zip(starts, logs, strict=True):
            best = max(range(len(row)), key=row.__getitem__)
            guesses.append(SegmentGuess(start, description.genres[best], math.exp(row[best])))
        return guesses


def predict(
    library: Library,
    files: Sequence[Path],
    on_event: Emit | None = None,
    *,
    predictor: Predictor | None = None,
) -> list[Prediction]:
    """Predict the genres of audio files, also of such outside the library; a warm predictor saves time.

    A file that cannot be used is an event `{"event": "failed", "path", "reason", "hint"}`, and the
    rest go on; where none can be used, its `FileError` is raised.
    """
    found: dict[int, Prediction | FileError] = {}
    known = {index: _known_source(library, path) for index, path in enumerate(files)}
    inside = {index: source for index, source in known.items() if source is not None}
    outside = [index for index in known if index not in inside]

    def progress(event: dict[str, Any]) -> None:
        if on_event:
            on_event({**event, "done": event["done"] + len(found), "total": len(files)})

    with _lent(library, predictor) as predictor:
        predictor.report()
        found.update(zip(inside, predictor.predict(list(inside.values()), progress), strict=True))
        for start in range(0, len(outside), OUTSIDE_AT_ONCE):
            some = outside[start : start + OUTSIDE_AT_ONCE]
            results = _predict_outside(library, predictor, [files[index] for index in some], progress)
            found.update(zip(some, results, strict=True))

    predictions: list[Prediction] = []
    failed: list[FileError] = []
    for index, path in enumerate(files):
        result = found[index]
        if isinstance(result, Prediction):
            predictions.append(replace(result, path=path))
        else:
            failed.append(FileError(path, result.title, result.hint))
    for error in failed:
        if on_event:
            on_event({"event": "failed", "path": str(error.path), "reason": error.title, "hint": error.hint})
    if failed and not predictions:
        raise failed[0]
    return predictions


def _predict_outside(
    library: Library, predictor: Predictor, files: Sequence[Path], on_event: Emit
) -> list[Prediction | FileError]:
    """Files that are no tracks of the library are decoded by a guarded process first."""
    from assistant.audio.guard import Decoders

    results: list[Prediction | FileError | None] = [None] * len(files)
    with TemporaryDirectory(prefix="musichelper-") as folder, Decoders(library.settings.intake) as decoders:

        def convert(numbered: tuple[int, Path]) -> FileError | None:
            number, path = numbered
            try:
                decoders.convert(path, Path(folder, f"{number}.wav"))
            except FileError as error:
                return error
            return None

        with ThreadPoolExecutor(decoders.count) as pool:
            results = list(pool.map(convert, enumerate(files)))
        readable = [number for number, result in enumerate(results) if result is None]
        sources = [(Path(folder, f"{number}.wav"), None) for number in readable]
        for number, result in zip(readable, predictor.predict(sources, on_event), strict=True):
            if isinstance(result, FileError):
                title = result.title.replace(str(result.path), str(files[number]))
                result = FileError(files[number], title, result.hint)
            results[number] = result
    return [result for result in results if result is not None]


def propose(library: Library, on_event: Emit | None = None, *, predictor: Predictor | None = None) -> int:
    """Write proposals for the ready tracks without a genre, some at a time; returns how many are new.

    A track that has one of this version, made after its last change, is not heard again.
    """
    new = 0
    with _lent(library, predictor) as predictor:
        version = predictor.report().version
        wanted = library.ledger.unproposed_tracks(version, library.unlabelled)
        for start in range(0, len(wanted), TRACKS_AT_ONCE):
            numbers = wanted[start : start + TRACKS_AT_ONCE]
            # The person and the watcher go on meanwhile.
            some = [
                track
                for track in library.ledger.tracks_numbered(numbers)
                if track.state == "ready" and track.wav is not None and library.genre_of(track.path) is None
            ]

            def progress(event: dict[str, Any], start: int = start) -> None:
                if on_event:
                    on_event({**event, "done": start + event["done"], "total": len(wanted)})

            sources = [(library.root / track.wav, track.content) for track in some if track.wav is not None]
            proposals = _proposals(version, some, predictor.predict(sources, progress))
            library.ledger.set_proposals(proposals)
            new += len(proposals)
    return new


def _proposals(
    version: str, tracks: Sequence[Track], results: Sequence[Prediction | FileError]
) -> list[Proposal]:
    now = time.time()
    return [
        Proposal(
            track.id,
            version,
            result.genre,
            result.probability,
            result.top,
            now,
            result.agreement,
            result.strangeness,
            result.likely,
        )
        for track, result in zip(tracks, results, strict=True)
        if isinstance(result, Prediction)
    ]


def _lent(library: Library, predictor: Predictor | None) -> AbstractContextManager[Predictor]:
    return nullcontext(predictor) if predictor else Predictor(library)


def _known_source(library: Library, path: Path) -> tuple[Path, str | None] | None:
    """A track of the library is heard through its WAV and its cached features."""
    if not path.absolute().is_relative_to(library.root):
        return None
    track = library.ledger.track_at(library.relative(path))
    if track is None or track.state != "ready" or track.wav is None:
        return None
    return library.root / track.wav, track.content


def _prediction(
    path: Path, result: dict[str, Any], description: Description, set_level: float
) -> Prediction | FileError:
    if "title" in result:
        return FileError(path, result["title"], result["hint"])
    heard, calibration, genres = Heard(**result), description.calibration, description.genres
    top = sorted(
        zip(genres, calibration.probabilities(heard), strict=True), key=lambda pair: (-pair[1], pair[0])
    )
    genre, probability = top[0]
    return Prediction(
        path=path,
        genre=genre,
        probability=probability,
        top=top,
        segments=heard.segments,
        agreement=heard.votes[genres.index(genre)] / heard.segments,
        strangeness=calibration.strangeness(heard),
        likely=calibration.likely([share for _genre, share in top], set_level),
    )
