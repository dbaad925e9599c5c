"""The same music in two files: found by content hash and by sound, shown, and never deleted."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from assistant.library.ledger import Ledger, Track
from assistant.library.library import Library
from assistant.library.scan import display_name

_MOST_COMPARED = 20

Kind = TypeVar("Kind", int, str)


@dataclass(frozen=True)
class Group:
    """Tracks that are the same music, the one that came first at the head."""

    tracks: tuple[Track, ...]
    exact: bool
    """All files have the same bytes."""


def note_sound(library: Library, track: Track, fingerprint: str) -> str:
    """Write down what a track sounds like (base64 of `assistant.audio.fingerprint`).

    Gives the path, as text, of an earlier track with the same bytes or the same sound; empty for none.
    """
    ledger = library.ledger
    data = base64.b64decode(fingerprint)
    same = _same_sound(ledger, track, data)
    ledger.set_fingerprint(track.id, data, same)
    equal = [other.id for other in ledger.tracks_with_content(track.content) if other.id < track.id]
    for number in (*equal, *([same] if same is not None else [])):
        other = ledger.track(number)
        if other is not None and other.state != "missing":
            return display_name(other.path)
    return ""


def duplicates(library: Library) -> list[Group]:
    """All groups of tracks that are the same music, by the path of their first."""
    ledger = library.ledger
    members: dict[int, set[int]] = {}
    for track, first in leaders((track, earlier) for track, earlier, _exact in ledger.duplicates()).items():
        members.setdefault(first, set()).add(track)
    groups = []
    for numbers in members.values():
        found = [ledger.track(number) for number in sorted(numbers)]
        present = tuple(one for one in found if one is not None and one.state != "missing")
        if len(present) > 1:
            groups.append(Group(present, exact=len({track.content for track in present}) == 1))
    return sorted(groups, key=lambda group: group.tracks[0].path)


def leaders(pairs: Iterable[tuple[Kind, Kind]]) -> dict[Kind, Kind]:
    """For each member of the pairs the least of all that it is joined with, over any number of steps."""
    above: dict[Kind, Kind] = {}

    def head(one: Kind) -> Kind:
        while above.setdefault(one, one) != one:
            one = above[one]
        return one

    for pair in pairs:
        first, second = (head(one) for one in pair)
        low, high = (first, second) if first < second else (second, first)
        above[high] = low
    return {one: head(one) for one in above}


def same_sounds(fingerprints: Sequence[bytes]) -> list[tuple[int, int]]:
    """Pairs of places whose fingerprints are those of one recording."""
    from assistant.audio.fingerprint import SAME, difference, landmarks

    places: dict[int, list[int]] = defaultdict(list)
    found = []
    for place, data in enumerate(fingerprints):
        hashes = landmarks(data)[0].tolist() if data else []
        common = Counter(other for one in hashes for other in places[one])
        found += [
            (other, place)
            for other, _count in common.most_common(_MOST_COMPARED)
            if difference(fingerprints[other], data) < SAME
        ]
        for one in hashes:
            places[one].append(place)
    return found


def listen_to_unknown(library: Library) -> Iterator[Track]:
    """Take fingerprints of the WAVs of ready tracks that have none yet; gives each track when it is done."""
    for track in library.ledger.tracks_without_fingerprint():
        assert track.wav is not None
        try:
            data = fingerprint_of_file(library.root / track.wav)
        except (OSError, RuntimeError):  # gone or damaged meanwhile: the next scan tells
            continue
        note_sound(library, track, base64.b64encode(data).decode())
        yield track


def fingerprint_of_file(path: Path) -> bytes:
    """The fingerprint of a file that libsndfile reads, of which only the excerpt in the middle is taken."""
    from assistant.audio.measure import EXCERPT_SECONDS, Measurer
    from assistant.audio.open import open_sound

    with open_sound(path) as file:
        length = round(EXCERPT_SECONDS * file.samplerate)
        file.seek(max(0, round((file.frames - length) / 2)))
        measurer = Measurer(file.samplerate, file.channels, None)
        measurer.add(file.read(length, dtype="float32", always_2d=True))
    return measurer.fingerprint()


def as_dict(library: Library, group: Group) -> dict[str, Any]:
    """A group as plain values for JSON."""
    return {
        "exact": group.exact,
        "tracks": [
            {
                "path": display_name(library.root / track.path),
                "duration": track.duration,
                "title": track.title,
                "artist": track.artist,
                "size": track.size,
            }
            for track in group.tracks
        ],
    }


def _same_sound(ledger: Ledger, track: Track, data: bytes) -> int | None:
    """The first track of those that sound the same; None where none does."""
    from assistant.audio.fingerprint import SAME, difference, landmarks

    if not data:
        return None
    hashes = landmarks(data)[0].tolist()
    for number in ledger.tracks_with_landmarks(hashes, _MOST_COMPARED):
        known = ledger.fingerprint(number) if number != track.id else None
        if known is not None and difference(data, known[0]) < SAME:
            return known[1] if known[1] not in (None, track.id) else number
    return None
