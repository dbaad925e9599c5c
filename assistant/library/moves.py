"""A track's files change folder together, each of them existing exactly once at every moment.

Nothing here writes to the ledger: the caller puts a plan into it first, and after a crash the same
plan is carried out again or reverted; both may be repeated at will.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from assistant.errors import FileError
from assistant.files import sync, temporary_beside
from assistant.i18n import _
from assistant.library.ledger import Track
from assistant.library.library import Library

Moves = list[tuple[Path, Path]]
OnStep = Callable[[str], None]

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


def _no_step(_name: str) -> None:
    pass


def track_files(library: Library, track: Track) -> list[Path]:
    """The source, WAV, caption and JSON of a track, each once, relative to the library.

    A text or JSON of the same name that no track claims is the person's own caption and belongs to it.
    """
    named = [track.path, track.wav, track.caption, track.info]
    for suffix, known in ((".txt", track.caption), (".json", track.info)):
        beside = track.path.with_suffix(suffix)
        if known is None and _exists(library.root / beside) and library.ledger.track_at(beside) is None:
            named.append(beside)
    return list(dict.fromkeys(path for path in named if path is not None))


def plan_move(library: Library, track: Track, genre: str | None) -> Moves:
    """Where each file of a track goes when it gets a genre (None: the folder for tracks without one).

    Folders inside the first folder are kept. Where any of the names is taken, all files of the set
    get the same " (2)", " (3)", … after their stem. Empty where the track is there already.
    """
    folder = genre or library.unlabelled
    files = [
        path for path in track_files(library, track) if path == track.path or _exists(library.root / path)
    ]
    targets = [Path(folder, *(path.parts[1:] if len(path.parts) > 1 else path.parts)) for path in files]
    if targets[0] == track.path:
        return []
    return _free(library.root, list(zip(files, targets, strict=True)))


def plan_rename(library: Library, track: Track, stem: str) -> Moves:
    """Where each file of a track goes when its source gets another name before the suffix.

    Names that begin with the old one change with it; the folder, and so the genre, stays. Where any of
    the names is taken, all get the same " (2)", " (3)", …. Empty where nothing changes.
    """
    old = track.path.stem
    moves = []
    for path in track_files(library, track):
        if path.name.startswith(old) and (path == track.path or _exists(library.root / path)):
            moves.append((path, path.with_name(stem + path.name[len(old) :])))
    if not stem or stem == old or not moves:
        return []
    return _free(library.root, moves)


def plan_return(library: Library, moves: Moves) -> Moves:
    """The same moves with the places to return to; where one is taken by now, all get a " (2)"."""
    # The first names are written last, so this is free with the roles exchanged.
    return [(back, there) for there, back in _free(library.root, [(to, origin) for origin, to in moves])]


def apply_moves(root: Path, moves: Moves, on_step: OnStep = _no_step) -> None:
    """Move each file from its first to its second place; those that are there already stay.

    A name is never overwritten (`FileExistsError`). On another disk the file is copied, flushed and
    compared before the original goes. `on_step` hears of each step on the way.
    """
    for origin, target in moves:
        _move(root / origin, root / target, on_step)
        on_step("moved")


def revert(root: Path, moves: Moves, on_step: OnStep = _no_step) -> None:
    """Move each file from its second place to its first; those that are there already stay."""
    apply_moves(root, [(target, origin) for origin, target in reversed(moves)], on_step)


def moved(path: Path | None, moves: Moves) -> Path | None:
    """Where a path is after the moves."""
    return next((target for origin, target in moves if origin == path), path)


def _free(root: Path, moves: Moves) -> Moves:
    stem = moves[0][1].stem if moves else ""
    number = 1
    while True:
        numbered = [(origin, _numbered(target, stem, number)) for origin, target in moves]
        if not any(_exists(root / target) for _origin, target in numbered):
            return numbered
        number += 1


def _numbered(path: Path, stem: str, number: int) -> Path:
    if number == 1:
        return path
    # `song.mp3.wav` belongs to `song.mp3`: the number stands at the same place in both.
    if not path.name.startswith(stem):
        stem = path.stem
    return path.with_name(f"{stem} ({number}){path.name[len(stem) :]}")


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _move(origin: Path, target: Path, on_step: OnStep) -> None:
    if not _exists(origin):
        if _exists(target):
            return
        raise FileError(
            origin,
            _("{path} is no longer there.").format(path=origin),
            _("It may have been moved or deleted by hand. Run `musichelper watch --once` to look again."),
        )
    _make_folder(target.parent)
    if _exists(target):
        # Left by a copy that was cut off before the original went; anything else is not ours.
        if target.is_file() and not target.is_symlink() and _digest(origin) == _digest(target):
            _remove(origin)
            return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    try:
        rename_to_free_name(origin, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(origin, target, on_step)
        return
    sync(target.parent)
    sync(origin.parent)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync(folder.parent)


def _copy_over(origin: Path, target: Path, on_step: OnStep) -> None:
    temporary = temporary_beside(target)
    try:
        shutil.copy2(origin, temporary, follow_symlinks=False)
        on_step("copied")
        if not temporary.is_symlink():
            sync(temporary)
            if _digest(origin) != _digest(temporary):
                raise FileError(
                    origin,
                    _("The copy of {path} on the other disk differs from it.").format(path=origin),
                    _("The original is untouched. Check that disk before you try again."),
                )
        rename_to_free_name(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(target.parent)
    on_step("copy named")
    try:
        _remove(origin)
    except OSError:
        _remove(target)  # the folder lets nothing go: better not moved than there twice
        raise


def _remove(path: Path) -> None:
    path.unlink()
    sync(path.parent)


def _digest(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def rename_to_free_name(origin: Path, target: Path) -> None:
    """Rename within one disk; fails with `FileExistsError` where the new name is taken."""
    rename = _renameat2()
    if rename is not None:
        status = rename(_AT_FDCWD, os.fsencode(origin), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE)
        if status == 0:
            return
        number = ctypes.get_errno()
        # Some file systems know no rename that refuses to replace.
        if number not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(number, os.strerror(number), str(origin), None, str(target))
    if _exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    origin.rename(target)


@functools.cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    return function
