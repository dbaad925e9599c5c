"""Genres of files and proposals for tracks without one, from the newest trained version."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.classify.process import features_request, source, start_worker
from assistant.classify.report import Report
from assistant.classify.store import current_version, version_folder
from assistant.errors import FileError, MusicHelperError
from assistant.i18n import _
from assistant.library.ledger import Proposal, Track
from assistant.library.library import Library
from assistant.workers import Worker

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Prediction:
    """What a version thinks of a file; probabilities are means over its segments."""

    path: Path
    genre: str
    probability: float
    top: list[tuple[str, float]]
    """All genres with their probabilities, most likely first."""
    segments: int


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
        self, sources: Sequence[tuple[Path, str | None]], on_event: OnEvent | None = None
    ) -> list[Prediction | FileError]:
        """For each (readable audio file, content hash or None), the prediction or what is wrong with it."""
        report = self.report()
        request = {
            **features_request(self._library, [source(path, content) for path, content in sources]),
            "folder": str(version_folder(self._library, report.version)),
        }
        results = self._worker.call("predict", request, on_event=on_event)["results"]
        return [
            _prediction(path, result, report.genres)
            for (path, _content), result in zip(sources, results, strict=True)
        ]


def predict(library: Library, files: Sequence[Path], on_event: OnEvent | None = None) -> list[Prediction]:
    """Predict the genres of audio files, also of such outside the library.

    A file that cannot be used is an event `{"event": "failed", "path", "reason", "hint"}`, and the
    rest go on; where none can be used, its `FileError` is raised.
    """
    predictions: list[Prediction] = []
    failed: list[FileError] = []
    with Predictor(library) as predictor:
        predictor.report()
        sources = [_known_source(library, path) for path in files]
        for path, result in zip(files, predictor.predict(sources, on_event), strict=True):
            if isinstance(result, Prediction):
                predictions.append(Prediction(path, *_values(result)))
            else:
                failed.append(FileError(path, result.title, result.hint))
    for error in failed:
        if on_event:
            on_event({"event": "failed", "path": str(error.path), "reason": error.title, "hint": error.hint})
    if failed and not predictions:
        raise failed[0]
    return predictions


def propose(library: Library, on_event: OnEvent | None = None) -> int:
    """Write proposals for the ready tracks without a genre; returns how many are new.

    A track that has one of this version, made after its last change, is not heard again.
    """
    with Predictor(library) as predictor:
        version = predictor.report().version
        wanted = _without_proposal(library, version)
        if not wanted:
            return 0
        sources = [(library.root / track.wav, track.content) for track in wanted if track.wav]
        results = predictor.predict(sources, on_event)
    now = time.time()
    proposals = [
        Proposal(track.id, version, result.genre, result.probability, result.top, now)
        for track, result in zip(wanted, results, strict=True)
        if isinstance(result, Prediction)
    ]
    library.ledger.set_proposals(proposals)
    return len(proposals)


def _without_proposal(library: Library, version: str) -> list[Track]:
    known = library.ledger.proposals()
    return [
        track
        for track in library.ledger.tracks(state="ready")
        if library.genre_of(track.path) is None
        and track.wav is not None
        and not (
            track.id in known and known[track.id].version == version and known[track.id].made >= track.changed
        )
    ]


def _known_source(library: Library, path: Path) -> tuple[Path, str | None]:
    """A track of the library is heard through its WAV and its cached features."""
    if not path.absolute().is_relative_to(library.root):
        return path, None
    track = library.ledger.track_at(library.relative(path))
    if track is None or track.state != "ready" or track.wav is None:
        return path, None
    return library.root / track.wav, track.content


def _prediction(path: Path, result: dict[str, Any], genres: Sequence[str]) -> Prediction | FileError:
    if "title" in result:
        return FileError(path, result["title"], result["hint"])
    shares: list[float] = result["probabilities"]
    top = sorted(zip(genres, shares, strict=True), key=lambda pair: -pair[1])
    return Prediction(path, top[0][0], top[0][1], top, result["segments"])


def _values(prediction: Prediction) -> tuple[str, float, list[tuple[str, float]], int]:
    return prediction.genre, prediction.probability, prediction.top, prediction.segments
