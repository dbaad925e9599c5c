"""The process in which features are taken and models trained. Started by `start_worker`, not imported.

TensorFlow is loaded here only where a network is trained or used.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

from assistant.classify import novelty
from assistant.classify.features import (
    FEATURES_VERSION,
    Features,
    FeatureSpec,
    Kind,
    Source,
    extract,
    extract_all,
)
from assistant.classify.models import KINDS, NETWORKS
from assistant.classify.segments import Segments, pack
from assistant.classify.store import WEIGHTS_NAME, read_description
from assistant.errors import FileError, MusicHelperError
from assistant.i18n import _
from assistant.library.duplicates import fingerprint_of_file
from assistant.workers import Emit, Message, serve

_EVENT_SECONDS = 0.1
_LEAKY_PER_TRACK = 10
_LEAKY_PARTS = (0.6, 0.8)


def make_features(request: Message, emit: Emit) -> Message:
    """Cache the features of `sources`; answers with segments or the error of each."""
    results: list[Message] = [{} for _source in request["sources"]]
    for index, features in _extract(request, emit):
        results[index] = (
            _failure(features) if isinstance(features, FileError) else {"segments": len(features)}
        )
    return {"results": results}


def take_fingerprints(request: Message, emit: Emit) -> Message:
    """What `sources` sound like, in base64; empty for what cannot be told."""

    def one(item: Message) -> str:
        try:
            return base64.b64encode(fingerprint_of_file(Path(item["path"]))).decode()
        except (OSError, RuntimeError, ValueError):
            return ""  # it is named where its features are taken

    found: list[str] = []
    with ThreadPoolExecutor(int(request["threads"]) or os.cpu_count() or 1) as pool:
        for text in pool.map(one, request["sources"]):
            found.append(text)
            emit({"event": "compared", "done": len(found), "total": len(request["sources"])})
    return {"fingerprints": found}


def fit(request: Message, emit: Emit) -> Message:
    """Train on the tracks with the numbers `train`, and answer with what is heard in those of `predict`.

    A network chooses its epoch by the tracks of `validation`; the other models learn from them too. With a
    `folder` the weights are written there.
    """
    started = time.monotonic()
    train, validation = list(request["train"]), list(request["validation"])
    if request["model"] not in NETWORKS:
        train, validation = train + validation, []
    training, validating = _pack(request, train), _pack(request, validation)
    trained = _train(request, training, validating, emit)
    embeddings = [trained.hear(_cached(request, place))[1] for place in train]
    labels = np.array([request["tracks"][place]["label"] for place in train])
    strange = novelty.fit(np.stack(embeddings), labels)
    heard = [_heard(trained, strange, _cached(request, place)) for place in request["predict"]]
    if request.get("folder"):
        from safetensors.numpy import save_file

        save_file({**trained.arrays(), **strange.arrays()}, Path(request["folder"]) / WEIGHTS_NAME)
    return {
        "heard": heard,
        "segments": {"train": len(training.labels), "validation": len(validating.labels)},
        "epochs": getattr(trained, "epochs", 0),
        "best_epoch": getattr(trained, "best_epoch", 0),
        "valid_loss": getattr(trained, "valid_loss", None),
        "seconds": time.monotonic() - started,
    }


def fit_leaky(request: Message, emit: Emit) -> Message:
    """Train and test on segments split at random, as the tutorials do: parts of a track lie on both sides.

    Answers with the share of test segments that are right, which means nothing for new music.
    """
    order = np.random.default_rng(int(request["seed"]))
    everything = _pack(request, range(len(request["tracks"])))
    drawn = everything.drawn(_LEAKY_PER_TRACK, order)
    first, second = (round(share * len(drawn)) for share in _LEAKY_PARTS)
    parts = [
        everything.chosen(np.sort(part)) for part in (drawn[:first], drawn[first:second], drawn[second:])
    ]
    trained = _train(request, parts[0], parts[1], emit)
    found = trained.hear(parts[2].features)[0].argmax(axis=1)
    return {"accuracy": float((found == parts[2].labels).mean())}


_loaded: dict[str, tuple[Any, novelty.Novelty]] = {}


def predict(request: Message, emit: Emit) -> Message:
    """What the version in `folder` hears in each of `sources`, or the error of each."""
    folder = Path(request["folder"])
    trained, strange, _spec = _version(folder)
    description = read_description(folder)
    results: list[Message] = [{} for _source in request["sources"]]
    for index, features in _extract({**request, **description.feature_request}, emit):
        results[index] = (
            _failure(features) if isinstance(features, FileError) else _heard(trained, strange, features)
        )
    return {"results": results}


def listen(request: Message, emit: Emit) -> Message:
    """What the version in `folder` hears in each segment of one `source`: log-probabilities by segment."""
    trained, _strange, spec = _version(Path(request["folder"]))
    one = request["source"]
    features = extract(Source(Path(one["path"]), one.get("content")), spec, Path(request["cache"]))
    logs, _embedding = trained.hear(features)
    return {"logs": np.asarray(logs, np.float64).tolist()}


def _version(folder: Path) -> tuple[Any, novelty.Novelty, FeatureSpec]:
    """A trained version, kept loaded."""
    description = read_description(folder)
    if description.features_version != FEATURES_VERSION:
        raise MusicHelperError(
            _("The classifier in use was trained on other features than this musichelper makes."),
            _("Train it again with `musichelper classifier train`."),
        )
    spec, name = description.feature_spec, str(folder)
    if name not in _loaded:
        _loaded.clear()
        _loaded[name] = _load(folder / WEIGHTS_NAME, description.model, len(description.genres), spec)
    return *_loaded[name], spec


def _train(request: Message, training: Segments, validation: Segments, emit: Emit) -> Any:
    if request["model"] not in NETWORKS:
        from assistant.classify import head

        return head.fit(training, int(request["classes"]), int(request["seed"]))
    from assistant.classify import network

    return network.fit(
        request["model"],
        training,
        validation,
        classes=int(request["classes"]),
        schedule=network.Schedule(**request["schedule"]),
        on_epoch=emit,
    )


def _load(path: Path, model: str, classes: int, spec: FeatureSpec) -> tuple[Any, novelty.Novelty]:
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
        strange = novelty.restore(arrays)
        if model not in NETWORKS:
            from assistant.classify import head

            return head.restore(arrays), strange
        from assistant.classify import network

        return network.restore(model, arrays, classes, spec), strange
    except Exception as error:  # safetensors has its own kinds of errors for damage
        raise FileError(
            path,
            _("The classifier {path} cannot be read: {reason}.").format(path=path, reason=error),
            _("Train the classifier again."),
        ) from error


def _heard(trained: Any, strange: novelty.Novelty, features: Features) -> Message:
    logs, embedding = trained.hear(features)
    votes = np.bincount(logs.argmax(axis=1), minlength=logs.shape[1])
    return {
        "logs": logs.mean(axis=0).tolist(),
        "votes": votes.tolist(),
        "distance": strange.distance(embedding),
    }


def _failure(error: FileError) -> Message:
    return {"title": error.title, "hint": error.hint}


def _spec(request: Message) -> FeatureSpec:
    kind: Kind = request.get("kind") or KINDS[request["model"]]
    return FeatureSpec(kind, float(request["segment_seconds"]), int(request["most_segments"]))


def _extract(request: Message, emit: Emit) -> Iterator[tuple[int, Features | FileError]]:
    sources = [Source(Path(source["path"]), source.get("content")) for source in request["sources"]]
    cache = Path(request["cache"]) if request.get("cache") else None
    told = 0.0
    found = extract_all(sources, _spec(request), cache, int(request["threads"]))
    for done, (index, features) in enumerate(found, start=1):
        yield index, features
        if done == len(sources) or time.monotonic() - told >= _EVENT_SECONDS:
            told = time.monotonic()
            emit({"event": "features", "done": done, "total": len(sources)})


def _cached(request: Message, place: int) -> Features:
    track = request["tracks"][place]
    return extract(Source(Path(track["path"]), track["content"]), _spec(request), Path(request["cache"]))


def _pack(request: Message, places: Sequence[int]) -> Segments:
    tracks = ((_cached(request, place), request["tracks"][place]["label"]) for place in places)
    return pack(tracks, _spec(request), Path(request.get("folder") or request.get("cache") or gettempdir()))


if __name__ == "__main__":
    serve(
        {
            "features": make_features,
            "fingerprints": take_fingerprints,
            "fit": fit,
            "fit_leaky": fit_leaky,
            "listen": listen,
            "predict": predict,
        }
    )
