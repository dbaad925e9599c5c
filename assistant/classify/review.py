"""Labels in the genre folders that the sound contradicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assistant.classify.lab import Lab, cross_fitted
from assistant.classify.models import candidates
from assistant.classify.process import start_worker
from assistant.classify.split import split_folds
from assistant.classify.store import features_folder
from assistant.classify.training import check_settings, collect, enough
from assistant.library.library import Library
from assistant.workers import Emit


@dataclass(frozen=True)
class Suspicion:
    """A track that a model trained without it would put elsewhere."""

    path: str
    """Relative to the library."""
    genre: str
    """Its folder."""
    probability: float
    """Of its folder."""
    suggested: str
    suggested_probability: float


def suspicious_labels(library: Library, on_event: Emit | None = None) -> list[Suspicion]:
    """The tracks whose genre folder is probably wrong, the most suspicious first.

    Found by cross-validation with the model that the number of tracks allows, as in confident learning
    (Northcutt, Jiang and Chuang, 2021): a track is suspicious where another genre is at least as probable as
    that genre is on average for its own tracks. Raises `MusicHelperError` where there are too few tracks.
    """
    settings = library.settings.classifier
    check_settings(settings)
    items, _left_out = collect(library)
    items, _small = enough(items)
    with start_worker() as worker:
        lab = Lab(worker, settings, features_folder(library), on_event)
        model = candidates(settings.model, Counter(item.genre for item in items))[0]
        items, _unreadable = lab.take_features(items, [model])
        items, _emptied = enough(items)
        genres = sorted({item.genre for item in items})
        folds = split_folds([item.member for item in items], settings.folds, settings.seed)
        heard = lab.cross_validate(model, items, genres, folds)
    truth = [genres.index(item.genre) for item in items]
    shares = cross_fitted(heard, truth, folds)
    return [
        Suspicion(items[p].name, items[p].genre, shares[p][truth[p]], genres[other], shares[p][other])
        for p, other in confident_contradictions(shares, truth)
    ]


def confident_contradictions(
    shares: Sequence[Sequence[float]], truth: Sequence[int]
) -> list[tuple[int, int]]:
    """Places whose label is contradicted, with the genre in its place; the least probable labels first."""
    found, labels = np.asarray(shares, np.float64), np.asarray(truth)
    usual = np.ones(found.shape[1])
    for genre in np.unique(labels):
        usual[genre] = found[labels == genre, genre].mean()
    confident = np.where(found >= usual, found, 0.0)
    other = confident.argmax(axis=1)
    places = [
        int(place)
        for place in np.flatnonzero((confident.max(axis=1) > 0) & (other != labels))
        if found[place, other[place]] > found[place, labels[place]]
    ]
    places.sort(key=lambda place: found[place, labels[place]])
    return [(place, int(other[place])) for place in places]
