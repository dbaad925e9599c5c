"""Why a genre is proposed: what the parts of a track sound like, and the confirmed tracks it resembles."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from assistant.errors import MusicHelperError
from tui.messages import WhyRead

if TYPE_CHECKING:
    from assistant.classify.neighbours import Neighbours
    from assistant.classify.predict import Predictor
    from assistant.library.library import Library

NEIGHBOURS_SHOWN = 5


class Reasons:
    """Keeps the classifier's process warm once it was asked for; for threads, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._predictor: Predictor | None = None
        self._neighbours: Neighbours | None = None

    def read(self, library: Library, track_id: int) -> WhyRead | None:
        """What speaks for a track's proposal; None where the track is gone."""
        from assistant.classify.neighbours import Neighbours
        from assistant.classify.predict import Predictor

        with self._lock:
            track = library.ledger.track(track_id)
            if track is None or track.wav is None:
                return None
            answer = WhyRead(track_id, [], [])
            try:
                if self._neighbours is None:
                    self._neighbours = Neighbours()
                answer.neighbours = self._neighbours.nearest(library, track, NEIGHBOURS_SHOWN)
                if self._predictor is None:
                    self._predictor = Predictor(library)
                wav = library.root / track.wav
                answer.segments = self._predictor.segments(wav, track.content, track.duration or 0.0)
            except MusicHelperError as error:
                answer.problem = error.title
            return answer

    def close(self) -> None:
        """End the classifier's process."""
        if self._predictor is not None:
            self._predictor.close()
            self._predictor = None
