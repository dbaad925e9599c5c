"""Features as the JSON of the classic genre tutorials: mapping, labels and MFCC lists."""

from __future__ import annotations

import json
from pathlib import Path

from assistant.classify.features import FEATURES_VERSION, cached_features
from assistant.classify.store import features_folder
from assistant.classify.training import collect
from assistant.files import whole_file
from assistant.library.library import Library


def export_features(library: Library, path: Path) -> int:
    """Write `{"mapping": [genres], "labels": [number of each segment], "mfcc": [segments]}`.

    Only tracks whose features are cached, by a training, are in it. Written piece by piece, so that
    a large library does not fill the memory. Returns the number of segments.
    """
    examples, _left_out = collect(library)
    seconds, cache = library.settings.classifier.segment_seconds, features_folder(library)
    examples = [e for e in examples if cached_features(e.track.content, seconds, cache) is not None]
    genres = sorted({example.genre for example in examples})
    labels: list[int] = []
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"features_version": {FEATURES_VERSION}, "mapping": {json.dumps(genres)}, "mfcc": [')
        for example in examples:
            features = cached_features(example.track.content, seconds, cache)
            for segment in features if features is not None else ():
                file.write(",\n" if labels else "\n")
                json.dump([[round(float(value), 3) for value in frame] for frame in segment[..., 0]], file)
                labels.append(genres.index(example.genre))
        file.write(f'\n], "labels": {json.dumps(labels)}}}\n')
    return len(labels)
