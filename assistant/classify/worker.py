"""The process in which librosa and TensorFlow work. Started by `start_worker`, not imported."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from assistant.classify import network as cnn
from assistant.classify.features import (
    COEFFICIENTS,
    FEATURES_VERSION,
    Features,
    Source,
    extract,
    extract_all,
    frames_per_segment,
)
from assistant.classify.store import WEIGHTS_NAME, read_description
from assistant.errors import FileError, MusicHelperError
from assistant.i18n import _
from assistant.workers import Emit, Message, serve

_EVENT_SECONDS = 0.1


def make_features(request: Message, emit: Emit) -> Message:
    """Cache the features of `sources`; answers with segments or the error of each."""
    results: list[Message] = [{} for _source in request["sources"]]
    for index, features in _extract(request, emit):
        results[index] = (
            _failure(features) if isinstance(features, FileError) else {"segments": len(features)}
        )
    return {"results": results}


def train(request: Message, emit: Emit) -> Message:
    """Train on the tracks of part `train` with cached features; writes the weights into `folder`.

    Answers with the mean probabilities of each track of part `test`.
    """
    started = time.monotonic()
    folder, seconds = Path(request["folder"]), float(request["segment_seconds"])
    classes = int(request["classes"])
    training = _pack(request, "train", folder)
    validation = _pack(request, "validation", folder)
    standard = cnn.measure_standard(training)
    fit = cnn.fit(
        training,
        validation,
        standard,
        classes=classes,
        segment_seconds=seconds,
        epochs=int(request["epochs"]),
        batch_size=int(request["batch_size"]),
        learning_rate=float(request["learning_rate"]),
        seed=int(request["seed"]),
        on_epoch=emit,
    )
    tested = []
    for track in request["tracks"]:
        if track["part"] == "test":
            found = cnn.probabilities(fit.network, _cached(track, request), standard)
            right = int((found.argmax(1) == track["label"]).sum())
            tested.append(
                {"probabilities": found.mean(0).tolist(), "segments": len(found), "right_segments": right}
            )
    cnn.save_weights(fit.network, standard, folder / WEIGHTS_NAME)
    return {
        "tested": tested,
        "segments": {"train": len(training.labels), "validation": len(validation.labels)},
        "epochs": fit.epochs,
        "best_epoch": fit.best_epoch,
        "valid_loss": fit.valid_loss,
        "seconds": time.monotonic() - started,
    }


_loaded: dict[str, tuple[Any, cnn.Standard]] = {}


def predict(request: Message, emit: Emit) -> Message:
    """Mean probabilities of each of `sources` by the version in `folder`, or the error of each."""
    folder = request["folder"]
    description = read_description(Path(folder))
    if description.features_version != FEATURES_VERSION:
        raise MusicHelperError(
            _("The classifier in use was trained on other features than this musichelper makes."),
            _("Train it again with `musichelper classifier train`."),
        )
    if folder not in _loaded:
        _loaded.clear()
        _loaded[folder] = cnn.load_weights(
            Path(folder) / WEIGHTS_NAME, len(description.genres), description.segment_seconds
        )
    network, standard = _loaded[folder]
    results: list[Message] = [{} for _source in request["sources"]]
    for index, features in _extract({**request, "segment_seconds": description.segment_seconds}, emit):
        if isinstance(features, FileError):
            results[index] = _failure(features)
        else:
            mean = cnn.probabilities(network, features, standard).mean(0)
            results[index] = {"probabilities": mean.tolist(), "segments": len(features)}
    return {"results": results}


def _extract(request: Message, emit: Emit) -> Any:
    sources = [Source(Path(source["path"]), source.get("content")) for source in request["sources"]]
    cache = Path(request["cache"]) if request.get("cache") else None
    told = 0.0
    found = extract_all(sources, float(request["segment_seconds"]), cache, int(request["threads"]))
    for done, (index, features) in enumerate(found, start=1):
        yield index, features
        if done == len(sources) or time.monotonic() - told >= _EVENT_SECONDS:
            told = time.monotonic()
            emit({"event": "features", "done": done, "total": len(sources)})


def _cached(track: Message, request: Message) -> Features:
    return extract(
        Source(Path(track["path"]), track["content"]),
        float(request["segment_seconds"]),
        Path(request["cache"]),
    )


def _pack(request: Message, part: str, folder: Path) -> cnn.Segments:
    """The segments of one part in one memory-mapped file without a name, so that memory stays flat."""
    tracks = [track for track in request["tracks"] if track["part"] == part]
    path = folder / f"{part}.f16"
    labels: list[int] = []
    numbers: list[int] = []
    with path.open("wb") as file:
        for number, track in enumerate(tracks):
            features = _cached(track, request)
            features.tofile(file)
            labels += [track["label"]] * len(features)
            numbers += [number] * len(features)
    shape = (len(labels), frames_per_segment(float(request["segment_seconds"])), COEFFICIENTS, 1)
    packed = np.memmap(path, dtype=np.float16, mode="r", shape=shape)
    path.unlink()  # the map keeps it until the process is done with it
    return cnn.Segments(packed, np.array(labels, dtype=np.int64), np.array(numbers, dtype=np.int64))


def _failure(error: FileError) -> Message:
    return {"title": error.title, "hint": error.hint}


if __name__ == "__main__":
    serve({"features": make_features, "train": train, "predict": predict})
