"""Room on the disk: what a WAV will need, what is kept free, and the rest while there is too little."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from pathlib import Path

from assistant.audio.formats import MIDI_SUFFIXES, TRACKER_SUFFIXES, suffix_of
from assistant.config import IntakeSettings
from assistant.i18n import _
from assistant.library.library import Library

_MIB = 1 << 20
_RENDERED_BYTES = 64 * _MIB  # six minutes
_RENDERED = MIDI_SUFFIXES | TRACKER_SUFFIXES
_PLAIN = frozenset({".wav", ".wave", ".rf64", ".w64", ".bwf", ".aif", ".aiff", ".aifc", ".au", ".caf"})
_LOSSLESS = frozenset({".flac", ".ape", ".wv", ".tta", ".alac"})
_GROWTH = (1.5, 2.5, 12.0)  # 44.1 kHz stereo 16 bits against: uncompressed, lossless, 128 kbit/s
_SHARE_KEPT = 20
_CHECK_SECONDS = 5.0
_PASSING_SQLITE = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM,
}  # fmt: skip
_PASSING = {
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS,
    errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ETXTBSY, errno.ENODEV,
}  # fmt: skip


def wav_bytes(path: Path, size: int, settings: IntakeSettings) -> int:
    """About how large the WAV of a source of `size` bytes will be; rather too large than too small."""
    suffix = suffix_of(path.name)
    if suffix in _RENDERED:
        return _RENDERED_BYTES
    growth = _GROWTH[0 if suffix in _PLAIN else 1 if suffix in _LOSSLESS else 2]
    longest = settings.max_minutes * 60 * 44100 * 4
    return int(min(size * growth, longest))


def free_bytes(folder: Path) -> int:
    """What may still be written on the folder's disk. Raises `OSError` where it cannot be told."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def reserve_bytes(folder: Path, settings: IntakeSettings) -> int:
    """What intake leaves free: `intake.reserve_mib`, but no more than a twentieth of the disk."""
    found = os.statvfs(folder)
    return min(settings.reserve_mib * _MIB, found.f_blocks * found.f_frsize // _SHARE_KEPT)


def is_passing(error: BaseException) -> bool:
    """Whether an error lies in the disk or the rights at this moment and may pass."""
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING_SQLITE
    return isinstance(error, OSError) and error.errno in _PASSING


class Rest:
    """The rest of the whole intake while the disk is nearly full or the ledger cannot be written."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._folder = library.root
        self._checked = 0.0
        self.reason = ""
        """Why intake rests; empty while it works."""
        self.hint = ""

    def begin_if_full(self, folder: Path) -> bool:
        """Begin to rest where less is free on the folder's disk than intake leaves free."""
        settings = self._library.settings.intake
        try:
            free, needed = free_bytes(folder), reserve_bytes(folder, settings)
        except OSError:  # the folder is gone, which the conversion will say better
            return False
        if free >= needed:
            return False
        reason = _("The disk is nearly full: {free} MiB are free, {needed} MiB are to stay free.")
        self.reason = reason.format(free=free // _MIB, needed=-(-needed // _MIB))
        self.hint = _("Make room; it goes on by itself. What stays free is intake.reserve_mib.")
        self._begin(folder)
        return True

    def begin_for(self, error: sqlite3.OperationalError) -> None:
        """Begin to rest because the ledger cannot be written; raises any error that will not pass."""
        if not is_passing(error):
            raise error
        self.reason = _("The ledger cannot be written: {reason}.").format(reason=error)
        self.hint = _(
            "Make room on the disk and check that you may write to the folder; it goes on by itself."
        )
        self._begin(self._library.paths.state)

    def over(self) -> bool:
        """Whether the trouble has passed; looked at every few seconds. Then the rest has ended."""
        now = time.monotonic()
        if now - self._checked < _CHECK_SECONDS:
            return False
        self._checked = now
        if self.begin_if_full(self._folder):
            return False
        try:
            self._library.ledger.check_writable()
        except sqlite3.OperationalError as error:
            self.begin_for(error)
            return False
        self.reason = self.hint = ""
        return True

    def _begin(self, folder: Path) -> None:
        self._folder = folder
        self._checked = time.monotonic()
