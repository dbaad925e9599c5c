"""Where the person left off labelling, so that the next session begins there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from assistant.files import write_json
from assistant.library.library import Library

PLACE_NAME = "label.json"


@dataclass(frozen=True)
class Place:
    """A queue, its order, and the track under the cursor."""

    view: str = "waiting"
    order: str = "margin"
    track: int | None = None


def read_place(library: Library) -> Place:
    """Where the last session was left; the beginning where that is not known."""
    try:
        values = json.loads((library.paths.state / PLACE_NAME).read_bytes())
        track = values["track"]
        return Place(str(values["view"]), str(values["order"]), None if track is None else int(track))
    except (OSError, ValueError, KeyError, TypeError):
        return Place()


def write_place(library: Library, place: Place) -> None:
    """Remember where the session is. Raises `OSError`."""
    path: Path = library.paths.state / PLACE_NAME
    write_json(path, asdict(place))
