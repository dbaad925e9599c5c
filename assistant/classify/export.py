"""Features as the JSON of the classic genre tutorials: mapping, labels and MFCC lists."""

from __future__ import annotations

import json
from pathlib import Path

from assistant.classify.features import FEATURES_VERSION, FeatureSpec, cached_features
from assistant.classify.lab import Lab
from assistant.classify.process import start_worker
from assistant.classify.store import features_folder
from assistant.classify.training import collect
from assistant.files import whole_file
from assistant.library.library import Library
from assistant.workers import Emit


def export_features(library: Library, path: Path, on_event: Emit | None = None) -> int:
    """Write `{"mapping": [genres], "labels": [number of each segment], "mfcc": [segments]}`.

    Tracks that cannot be used are not in it. Written piece by piece, so that a large library does not
    fill the memory. Returns the number of segments.
    """
    settings, cache = library.settings.classifier, features_folder(library)
    with start_worker() as worker:
        items, _left_out = Lab(worker, settings, cache, on_event).take_features(collect(library)[0], ["cnn"])
    spec = FeatureSpec("mfcc", settings.segment_seconds, settings.most_segments)
    genres = sorted({item.genre for item in items})
    labels: list[int] = []
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"features_version": {FEATURES_VERSION}, "mapping": {json.dumps(genres)}, "mfcc": [')
        for item in items:
            features = cached_features(item.content, spec, cache)
            for segment in features if features is not None else ():
                file.write(",\n" if labels else "\n")
                json.dump([[round(float(value), 4) for value in frame] for frame in segment[..., 0]], file)
                labels.append(genres.index(item.genre))
        file.write(f'\n], "labels": {json.dumps(labels)}}}\n')
    return len(labels)
