"""When a file that failed is tried again.

A fault of the file (it cannot be decoded, its decoder broke down) is tried `MOST_ATTEMPTS` times, at
once, after one minute and after ten more; then the file is set aside. It is tried again when it
changes, when the decoder's version changes, or when the person asks. A trouble that may pass (a full
disk, a folder that may not be written to) is tried for ever, after one minute at first and then after
twice the time before, up to an hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from assistant.errors import FileError
from assistant.i18n import _
from assistant.library.ledger import Track
from assistant.library.library import Library

MOST_ATTEMPTS = 3
MOST_ENDS = 10
"""How often the program may end while a file is in work before the file is suspected."""
_PAUSES = (60.0, 600.0)
_FIRST_WAIT = 60.0
_LONGEST_WAIT = 3600.0


def after_fault(attempts: int, now: float) -> float | None:
    """The Unix time of the next attempt after so many; None: the file is set aside."""
    return None if attempts >= MOST_ATTEMPTS else now + _PAUSES[max(0, attempts - 1)]


def after_trouble(track: Track, now: float) -> float:
    """The Unix time at which to try again after a trouble that may pass; `track` as before the attempt."""
    if track.state != "waiting" or track.retry_at is None:
        return now + _FIRST_WAIT
    # The row was last written when the wait began, so its length needs no column of its own.
    before = track.retry_at - track.changed
    return now + min(max(2 * before, _FIRST_WAIT), _LONGEST_WAIT)


def set_aside(track: Track) -> bool:
    """Whether a track is not tried again by itself."""
    return track.state == "failed" and track.retry_at is None


def retry(library: Library, paths: Iterable[Path] | None = None) -> tuple[list[Track], list[FileError]]:
    """Let failed and put-off tracks wait to be tried at once: those at `paths`, or all.

    Gives the tracks, and an error for each path that is none of them. A running watcher takes them up
    by itself.
    """
    ledger = library.ledger
    chosen: list[Track] = []
    problems: list[FileError] = []
    if paths is None:
        chosen = [
            *ledger.iterate_tracks(state="failed"),
            *ledger.iterate_tracks(state="waiting", put_off=True),
        ]
    else:
        for path in dict.fromkeys(paths):
            track = ledger.track_at(library.relative(path))
            if track is None:
                problems.append(
                    FileError(
                        path,
                        _("The library does not know this file yet."),
                        _("`musichelper watch --once` looks for new files."),
                    )
                )
            elif track.state == "failed" or (track.state == "waiting" and track.retry_at is not None):
                chosen.append(track)
            else:
                problems.append(FileError(path, _("There is nothing to try again: the file did not fail.")))
    ledger.try_again(track.id for track in chosen)
    return chosen, problems
