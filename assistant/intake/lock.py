"""One intake a library: a lock that its holder's death releases."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library


@contextmanager
def intake_lock(library: Library) -> Iterator[None]:
    """Hold the library's intake. Raises `MusicHelperError` naming the process that holds it."""
    library.paths.state.mkdir(exist_ok=True)
    descriptor = os.open(library.paths.watch_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MusicHelperError(
                _("Another process already takes in new files of this library: {pid}.").format(
                    pid=holder(library) or "?"
                ),
                _("Leave it to that one, or end it first."),
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def is_held(library: Library) -> bool:
    """Whether a process takes in files of this library now."""
    try:
        descriptor = os.open(library.paths.watch_lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(library: Library) -> int | None:
    """The process id that last took the lock."""
    try:
        text = library.paths.watch_lock.read_text()
    except OSError:
        return None
    return int(text) if text.strip().isdigit() else None
