"""A list of any number of tracks, of which only those near what is shown are read."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.widgets.rows import LazyRows

if TYPE_CHECKING:
    from assistant.library.ledger import Track
    from assistant.library.library import Library


@dataclass(frozen=True)
class TrackRow:
    """A row of the list: the track's number, and the track once it was read."""

    number: int
    track: Track | None


@dataclass(frozen=True)
class Sight:
    """What of a list is on the screen."""

    first: int = 0
    """The place of the first line."""
    lines: int = 0
    marked: int | None = None
    """The number of the track under the cursor."""

    def places(self, screens: int) -> range:
        """These lines and so many screens before and after."""
        return range(self.first - screens * self.lines, self.first + (1 + screens) * self.lines)


class TrackPages(LazyRows[TrackRow]):
    """Numbers of all, tracks of some."""

    def __init__(self, numbers: array[int] | None = None, tracks: Iterable[Track] = ()) -> None:
        self._numbers = array("q") if numbers is None else numbers
        self._tracks = {track.id: track for track in tracks}

    def __len__(self) -> int:
        return len(self._numbers)

    def row(self, place: int) -> TrackRow:
        number = self._numbers[place]
        return TrackRow(number, self._tracks.get(number))

    def find(self, key: object) -> int | None:
        try:
            return self._numbers.index(key)  # type: ignore[arg-type]
        except ValueError:
            return None

    def add(self, tracks: Iterable[Track]) -> None:
        """Take in tracks that were read."""
        self._tracks.update((track.id, track) for track in tracks)

    def missing(self, sight: Sight) -> list[int]:
        """The numbers of the tracks to read next: none as long as a screen before and after is there."""
        if not any(number not in self._tracks for number in self._between(sight.places(1))):
            return []
        return [number for number in self._between(sight.places(2)) if number not in self._tracks]

    def _between(self, places: range) -> array[int]:
        return self._numbers[max(0, places.start) : max(0, places.stop)]


def read_pages(library: Library, *, failed: bool, sight: Sight) -> TrackPages:
    """All tracks or the failed ones, the last changed first; read are those that will be in sight."""
    state = "failed" if failed else None
    numbers = array("q", library.ledger.recent_track_numbers(state=state))
    pages = TrackPages(numbers)
    wanted = pages.missing(sight)
    marked = None if sight.marked is None else pages.find(sight.marked)
    if marked is not None:
        wanted += pages.missing(Sight(marked - sight.lines, 2 * sight.lines))
    pages.add(library.ledger.tracks_numbered(wanted))
    return pages
