"""What speaks for a proposal: the parts of a track, and the confirmed tracks it resembles."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from assistant.classify.neighbours import Neighbours
from assistant.classify.predict import Predictor, predict
from assistant.library.library import Library
from tests.classify.labelled_sounds import TrainedHead


def test_the_parts_vote_as_the_proposal_says(trained_head: TrainedHead) -> None:
    library = trained_head[0]
    track = library.ledger.tracks(state="ready")[0]
    assert track.wav
    assert track.duration
    with Predictor(library) as predictor:
        parts = predictor.segments(library.root / track.wav, track.content, track.duration)
        (whole,) = predict(library, [library.root / track.path], predictor=predictor)
    votes = Counter(part.genre for part in parts)
    assert len(parts) == whole.segments
    assert votes[whole.genre] / len(parts) == pytest.approx(whole.agreement)
    starts = [part.start for part in parts]
    assert starts == sorted(set(starts))
    assert starts[0] == 0.0
    assert starts[-1] < track.duration
    assert all(1 / 3 <= part.probability <= 1 for part in parts)


def test_the_nearest_tracks_are_of_the_same_kind(trained_head: TrainedHead) -> None:
    library = trained_head[0]
    neighbours = Neighbours()
    for track in library.ledger.tracks(state="ready")[::6]:
        found = neighbours.nearest(library, track, count=3)
        assert len(found) == 3
        assert track.path not in [one.path for one in found]
        assert [one.likeness for one in found] == sorted((one.likeness for one in found), reverse=True)
        assert all(-1.0 <= one.likeness <= 1.0 for one in found)
        assert found[0].genre == library.genre_of(track.path)


def test_without_a_classifier_nothing_is_near(library: Library) -> None:
    track = library.ledger.add_track(Path("x.wav"), "c", 1, 1)
    assert Neighbours().nearest(library, track) == []
