"""The ledger brought in line with the folder: what came, changed, moved and went."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.audio.formats import is_source_name, suffix_of
from assistant.errors import MusicHelperError
from assistant.files import maker_of_temporary
from assistant.i18n import _
from assistant.library.ledger import Track
from assistant.library.library import Library

_MARK = "musichelper"
_BLOCK = 1 << 20
_BATCH = 500
_BATCH_SECONDS = 2.0

Hold = Callable[[Path, os.stat_result], bool]
"""Whether a file, relative to the root, is to be left alone this time: it is still being written."""


@dataclass(frozen=True)
class Scan:
    """How many files of each kind a scan found."""

    added: int
    changed: int
    moved: int
    missing: int
    unchanged: int
    unreadable: tuple[Path, ...] = ()
    """Folders and files that may not be read."""


@dataclass(frozen=True)
class _Found:
    path: Path
    stat: os.stat_result


def scan(library: Library, *, hold: Hold | None = None) -> Scan:
    """Walk the folder and write down what is new, changed, moved or gone.

    New and changed tracks become `waiting`; a moved one keeps its row and its label and becomes
    `waiting`, so that its WAV and caption follow. A file is read (for its content hash) only where
    its size or time differ from the ledger. Temporary files of processes that are gone are removed.
    """
    if not library.root.is_dir():
        raise MusicHelperError(
            _("The library {root} is not there.").format(root=library.root),
            _("Check that its disk is mounted; nothing was forgotten."),
        )
    unreadable: list[Path] = []
    found = _walk(library.root, unreadable)
    tracks = {track.path: track for track in library.ledger.tracks()}
    pending = _Pending(library)
    _leave_out_outputs(library.root, found, tracks)

    unchanged = changed = 0
    new: list[_Found] = []
    present = set(found)
    for path, file in found.items():
        track = tracks.get(path)
        if track is not None and _same(track, file.stat):
            if track.state == "missing":
                pending.update(track.id, state="waiting", reason="", hint="", attempts=0)
                changed += 1
            else:
                unchanged += 1
        elif hold is not None and hold(path, file.stat):
            unchanged += track is not None
        elif track is None:
            new.append(file)
        else:
            content = _hash(library.root, file, unreadable)
            if content is None:
                continue
            times = {"size": file.stat.st_size, "mtime_ns": file.stat.st_mtime_ns}
            if content == track.content and track.state in ("ready", "failed"):
                pending.update(track.id, **times)
                unchanged += 1
            else:
                values = {"state": "waiting", "reason": "", "hint": "", "attempts": 0}
                pending.update(track.id, content=content, **times, **values)
                changed += 1

    gone: dict[str, list[Track]] = {}
    # What lies below a folder that cannot be read is not known to be gone.
    for path, track in tracks.items():
        if path not in present and not any(path.is_relative_to(folder) for folder in unreadable):
            gone.setdefault(track.content, []).append(track)
    added = moved = 0
    for file in new:
        content = _hash(library.root, file, unreadable)
        if content is None:
            continue
        before = gone.get(content, [])
        if before:
            # Of several equal files the one of the same name, then one that went just now.
            before.sort(key=lambda track: (track.path.name != file.path.name, track.state == "missing"))
            pending.move(before.pop(0), file)
            moved += 1
        else:
            pending.add(file, content)
            added += 1
    left = [track for group in gone.values() for track in group]
    for track in left:
        if track.state != "missing":
            pending.update(track.id, state="missing")
    pending.write()
    return Scan(added, changed, moved, len(left), unchanged, tuple(unreadable))


def content_hash(path: Path) -> str:
    """BLAKE2b-128 of a file's bytes, hexadecimal."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def display_name(path: Path | str) -> str:
    r"""A path as valid text: bytes that are no UTF-8 become `\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def declaration(info: Path) -> dict[str, Any] | None:
    """What one of our JSON files says of its origin; None for a missing, foreign or broken one."""
    try:
        document = json.loads(info.read_bytes())
        mark = document[_MARK]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return mark if isinstance(mark, dict) else None


def _walk(root: Path, unreadable: list[Path]) -> dict[Path, _Found]:
    found: dict[Path, _Found] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            folders.append(name)
                    elif is_source_name(entry.name):
                        stat = _file_stat(root, entry)
                        if stat is not None:
                            path = Path(name)
                            found[path] = _Found(path, stat)
                    elif (maker := maker_of_temporary(entry.name)) is not None and not _alive(maker):
                        with contextlib.suppress(OSError):
                            (root / name).unlink()
        except FileNotFoundError:
            continue  # removed while we walked
        except OSError as error:
            if not folder:
                raise MusicHelperError(
                    _("The library {root} cannot be read: {reason}.").format(root=root, reason=error.strerror)
                ) from error
            unreadable.append(Path(folder))
    return found


def _file_stat(root: Path, entry: os.DirEntry[str]) -> os.stat_result | None:
    """The file's stat; None for what is no regular file, or is a link out of the library."""
    try:
        if not entry.is_file():
            return None
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root.resolve()):
            return None
        return entry.stat()
    except OSError:
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _leave_out_outputs(root: Path, found: dict[Path, _Found], tracks: dict[Path, Track]) -> None:
    """Drop the WAVs that are our own: of the ledger's rows, or declared by the JSON beside them."""
    outputs = {track.wav for track in tracks.values() if track.wav is not None and track.wav != track.path}
    sources = {(path.parent, display_name(path.name)) for path in found}
    for path in list(found):
        if path in outputs:
            del found[path]
        elif path not in tracks and suffix_of(path.name) == ".wav":
            mark = declaration(root / path.with_suffix(".json"))
            if mark is None or mark.get("wav") != display_name(path.name):
                continue
            source = mark.get("source")
            # Without its source the WAV is all that is left of the music, and a track of its own.
            if source != display_name(path.name) and (path.parent, source) in sources:
                del found[path]


def _same(track: Track, stat: os.stat_result) -> bool:
    return track.size == stat.st_size and track.mtime_ns == stat.st_mtime_ns


def _hash(root: Path, file: _Found, unreadable: list[Path]) -> str | None:
    try:
        return content_hash(root / file.path)
    except FileNotFoundError:
        return None
    except OSError:
        unreadable.append(file.path)
        return None


class _Pending:
    """Changes of the ledger, written many at a time: each transaction waits for the disk."""

    def __init__(self, library: Library) -> None:
        self._ledger = library.ledger
        self._changes: list[Callable[[], object]] = []
        self._since = time.monotonic()

    def _put(self, change: Callable[[], object]) -> None:
        self._changes.append(change)
        if len(self._changes) >= _BATCH or time.monotonic() - self._since > _BATCH_SECONDS:
            self.write()

    def update(self, track_id: int, **values: Any) -> None:
        self._put(lambda: self._ledger.update_track(track_id, **values))

    def add(self, file: _Found, content: str) -> None:
        def change() -> None:
            # A decision may have brought the row here while we read the file.
            known = self._ledger.track_at(file.path)
            if known is None or known.path != file.path:
                self._ledger.add_track(file.path, content, file.stat.st_size, file.stat.st_mtime_ns)

        self._put(change)

    def move(self, track: Track, file: _Found) -> None:
        own = {"wav": file.path} if track.wav == track.path else {}
        state = track.state if track.state == "failed" else "waiting"
        times = {"size": file.stat.st_size, "mtime_ns": file.stat.st_mtime_ns}
        self.update(track.id, path=file.path, state=state, **times, **own)

    def write(self) -> None:
        if self._changes:
            with self._ledger.transaction():
                for change in self._changes:
                    change()
        self._changes.clear()
        self._since = time.monotonic()
