"""What could not be taken in, and why, in files that other programs can read."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from assistant.files import whole_file, write_json
from assistant.library.library import Library
from assistant.library.scan import Refused, display_name


def write_quarantine(library: Library) -> None:
    """Write down what could not be read and why, one JSON document a line; no file where all is well."""
    path = library.paths.quarantine
    with contextlib.suppress(OSError):  # on a full disk the ledger knows it all the same
        if next(_lines(library), None) is None:
            path.unlink(missing_ok=True)
        elif not _is_as(path, _lines(library)):
            with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
                file.writelines(_lines(library))


def write_refused(library: Library, refused: Sequence[Refused]) -> None:
    """Write down the music names of the last scan that are no readable files, for `status`."""
    path = library.paths.refused
    with contextlib.suppress(OSError):
        if not refused:
            path.unlink(missing_ok=True)
        else:
            write_json(path, [{**asdict(one), "path": display_name(one.path)} for one in refused])


def _lines(library: Library) -> Iterator[str]:
    for track in library.ledger.iterate_tracks(state="failed"):
        document = {
            "path": display_name(track.path),
            "reason": track.reason,
            "hint": track.hint,
            "content": track.content,
        }
        yield json.dumps(document, ensure_ascii=False) + "\n"


def _is_as(path: Path, lines: Iterator[str]) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return all(a == b for a, b in itertools.zip_longest(file, lines))
    except (OSError, ValueError):
        return False
