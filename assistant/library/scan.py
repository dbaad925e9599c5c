"""The ledger brought in line with the folder: what came, changed, moved and went."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from errno import EACCES, ELOOP, EPERM
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from assistant.audio.formats import AUDIO_SUFFIXES, is_source_name, suffix_of
from assistant.files import NotAFile, is_left_behind, is_temporary, open_regular
from assistant.i18n import _
from assistant.library.ledger import KnownFile
from assistant.library.library import Library, LibraryUnavailable

_MARK = "musichelper"
_BLOCK = 1 << 20
_BATCH = 500
_BATCH_SECONDS = 2.0
_ANEW = {"state": "waiting", "reason": "", "hint": "", "attempts": 0, "retry_at": None}

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
    arrived: tuple[tuple[Path, float], ...] = ()
    """The new and moved files, each with its ctime."""
    folders: dict[str, int] = field(default_factory=dict)
    """The folders that were read, relative to the root (itself: empty), and their inodes."""
    refused: tuple[Refused, ...] = ()
    """What may not be read, and what else has the name of music and is no file that can be read."""


@dataclass(frozen=True)
class Refused:
    """Something of a music file's name that cannot be a track, and why. The path is relative."""

    path: Path
    reason: str
    hint: str


@dataclass(frozen=True)
class _Found:
    name: str
    stat: os.stat_result

    @property
    def path(self) -> Path:
        """Relative to the root; most files are never asked for it."""
        return Path(self.name)


def scan(library: Library, *, hold: Hold | None = None) -> Scan:
    """Walk the folder and write down what is new, changed, moved or gone.

    New and changed tracks become `waiting`; a moved one keeps its row and its label and becomes
    `waiting`, so that its WAV and caption follow. A file is read (for its content hash) only where
    its size or time differ from the ledger. Temporary files of processes that are gone are removed.
    """
    if not library.root.is_dir():
        raise LibraryUnavailable(
            _("The library {root} is not there.").format(root=library.root),
            _("Check that its disk is mounted; nothing was forgotten."),
        )
    library.check_place()
    refused: list[Refused] = []
    unreadable: list[Path] = []
    folders: dict[str, int] = {}
    found = _walk(library.root, unreadable, refused, folders)
    library.check_place()  # a disk that went while we walked did not take the tracks with it
    tracks = {track.name: track for track in library.ledger.known_files()}
    pending = _Pending(library)
    _leave_out_outputs(library.root, found, tracks)

    unchanged = changed = 0
    new: list[_Found] = []
    for name, file in found.items():
        track = tracks.get(name)
        if track is not None and _same(track, file.stat):
            if track.state == "missing":
                pending.update(track.id, **_ANEW)
                changed += 1
            else:
                unchanged += 1
        elif hold is not None and hold(file.path, file.stat):
            unchanged += track is not None
        elif track is None:
            new.append(file)
        else:
            content = _hash(library.root, file, unreadable, refused)
            if content is None:
                continue
            times = {"size": file.stat.st_size, "mtime_ns": file.stat.st_mtime_ns}
            if content == track.content and track.state == "ready":
                pending.update(track.id, **times)
                unchanged += 1
            else:
                pending.update(track.id, content=content, **times, **_ANEW)
                changed += 1

    gone: dict[str, list[KnownFile]] = {}
    # What lies below a folder that cannot be read is not known to be gone.
    for name, track in tracks.items():
        if name not in found and not any(track.path.is_relative_to(folder) for folder in unreadable):
            gone.setdefault(track.content, []).append(track)
    added = moved = 0
    for file in new:
        content = _hash(library.root, file, unreadable, refused)
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
    return Scan(
        added,
        changed,
        moved,
        len(left),
        unchanged,
        tuple(unreadable),
        tuple((file.path, file.stat.st_ctime) for file in new),
        folders,
        tuple(refused),
    )


def content_hash(path: Path) -> str:
    """BLAKE2b-128 of a file's bytes, hexadecimal."""
    digest = hashlib.blake2b(digest_size=16)
    with open_regular(path) as file:
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


def _walk(
    root: Path, unreadable: list[Path], refused: list[Refused], inodes: dict[str, int]
) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    folders = [("", 0)]
    named_as_music: list[str] = []
    while folders:
        folder, inode = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                inodes[folder] = inode
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            folders.append((name, entry.inode()))
                            if suffix_of(entry.name) in AUDIO_SUFFIXES:
                                named_as_music.append(name)
                    elif is_source_name(entry.name):
                        stat = _file_stat(root, entry)
                        if isinstance(stat, os.stat_result):
                            found[name] = _Found(name, stat)
                        elif stat is not None:
                            refused.append(Refused(Path(name), *stat))
                    elif is_temporary(entry.name):
                        with contextlib.suppress(OSError):
                            if is_left_behind(root / name):
                                (root / name).unlink()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and folder:
                continue  # removed while we walked
            if not folder:
                raise LibraryUnavailable(
                    _("The library {root} cannot be read: {reason}.").format(root=root, reason=error.strerror)
                ) from error
            unreadable.append(Path(folder))
            refused.append(_unreadable(Path(folder), error))
    for name in named_as_music:
        folder_path = Path(name)
        if folder_path not in unreadable and not any(path.startswith(f"{name}/") for path in found):
            refused.append(
                Refused(
                    folder_path,
                    _("It is a folder, not a file, and there is no music in it."),
                    _("Copy the music itself here; a program may have made a folder of its name."),
                )
            )
    return found


def _file_stat(root: Path, entry: os.DirEntry[str]) -> os.stat_result | tuple[str, str] | None:
    """The file's stat, or why it cannot be a track and what to do; None where it has just gone."""
    try:
        stat = entry.stat()
        if entry.is_symlink():
            if S_ISDIR(stat.st_mode):
                return (
                    _("It is a link to a folder, and links to folders are not followed."),
                    _("Move the folder itself here."),
                )
            if not Path(entry.path).resolve().is_relative_to(root.resolve()):
                return (
                    _("It is a link to a file outside the library."),
                    _("Copy the file itself here, so that it stays when the other goes."),
                )
        if not S_ISREG(stat.st_mode):
            return (_("It is a pipe, socket or device, not a file."), _("Put the music itself here."))
        return stat
    except FileNotFoundError:
        if not entry.is_symlink():
            return None
    except OSError as error:
        if error.errno != ELOOP:
            refused = _unreadable(Path(entry.name), error)
            return refused.reason, refused.hint
    return (
        _("It is a link to a file that is not there."),
        _("Bring the file back, or remove the link."),
    )


def _unreadable(path: Path, error: OSError) -> Refused:
    if error.errno in (EACCES, EPERM):
        return Refused(
            path,
            _("It may not be read: permission denied."),
            _("Give yourself the right to read it; it is looked at again at each scan."),
        )
    return Refused(
        path,
        _("The disk cannot read it: {reason}.").format(reason=error.strerror or error),
        _("Check the disk and its cable; it is looked at again at each scan."),
    )


def _leave_out_outputs(root: Path, found: dict[str, _Found], tracks: dict[str, KnownFile]) -> None:
    """Drop the WAVs that are our own: of the ledger's rows, or declared by the JSON beside them."""
    outputs = {track.wav for track in tracks.values() if track.wav is not None and track.wav != track.name}
    for name in outputs & found.keys():
        del found[name]
    unknown = [file.path for name, file in found.items() if name not in tracks]
    declared: dict[Path, object] = {}
    for path in unknown:
        if suffix_of(path.name) == ".wav":
            name = display_name(path.name)
            mark = declaration(root / path.with_suffix(".json"))
            if mark is not None and mark.get("wav") == name != mark.get("source"):
                declared[path] = mark.get("source")
    if declared:
        sources = {(file.path.parent, display_name(file.path.name)) for file in found.values()}
        for path, source in declared.items():
            # Without its source the WAV is all that is left of the music, and a track of its own.
            if (path.parent, source) in sources:
                del found[str(path)]


def _same(track: KnownFile, stat: os.stat_result) -> bool:
    return track.size == stat.st_size and track.mtime_ns == stat.st_mtime_ns


def _hash(root: Path, file: _Found, unreadable: list[Path], refused: list[Refused]) -> str | None:
    try:
        return content_hash(root / file.path)
    except (FileNotFoundError, NotAFile):  # it went, or something else came, since the walk
        return None
    except OSError as error:
        unreadable.append(file.path)
        refused.append(_unreadable(file.path, error))
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
            if not self._ledger.has_track(file.path):
                self._ledger.add_track(file.path, content, file.stat.st_size, file.stat.st_mtime_ns)

        self._put(change)

    def move(self, track: KnownFile, file: _Found) -> None:
        own = {"wav": file.path} if track.wav == track.name else {}
        state = {"state": "failed"} if track.state == "failed" else {"state": "waiting", "retry_at": None}
        times = {"size": file.stat.st_size, "mtime_ns": file.stat.st_mtime_ns}
        self.update(track.id, path=file.path, **state, **times, **own)

    def write(self) -> None:
        if self._changes:
            with self._ledger.transaction():
                for change in self._changes:
                    change()
        self._changes.clear()
        self._since = time.monotonic()
