"""Files that are whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY_PREFIX = ".musichelper-"
TEMPORARY_SUFFIX = ".tmp"
_ALMOST_FULL_BYTES = 1 << 20


def temporary_beside(path: Path) -> Path:
    """A name in the same folder for a file not yet whole; hidden, short, and its maker's pid in it."""
    return path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(6).hex()}{TEMPORARY_SUFFIX}")


def is_temporary(name: str) -> bool:
    """Whether a file name is one of `temporary_beside`."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def maker_of_temporary(name: str) -> int | None:
    """The process id in a temporary name, or None where the name is not ours."""
    if not is_temporary(name):
        return None
    pid = name.removeprefix(TEMPORARY_PREFIX).split("-")[0]
    return int(pid) if pid.isdigit() else None


def is_left_behind(path: Path) -> bool:
    """Whether a file is a temporary one of ours whose maker is gone."""
    maker = maker_of_temporary(path.name)
    if maker is None:
        return False
    started = _started(maker)
    # Process ids come again: one that began after the file was last written did not make it.
    return started is None or started > path.stat().st_mtime + 1.0


def clear_left_behind(folder: Path) -> None:
    """Remove all such files below a folder, as far as they can be removed."""
    for place, _folders, names in os.walk(folder):
        for path in (Path(place, name) for name in names if is_temporary(name)):
            with suppress(OSError):
                if is_left_behind(path):
                    path.unlink()


def _started(pid: int) -> float | None:
    """When a process began, as Unix time; None where there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        if fields[0] == "Z":
            return None
        uptime = float(Path("/proc/uptime").read_text("ascii").split()[0])
        return time.time() - uptime + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (FileNotFoundError, ProcessLookupError):
        return None
    except (OSError, ValueError, IndexError):
        return 0.0  # it cannot be told: taken as the maker


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; never waits for the other end of a pipe.

    Raises `NotAFile` for what is no regular file, and `OSError` where it may not be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


class NotAFile(OSError):
    """A folder, pipe, socket or device under the name of a file."""


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path, *, overwrite: bool = True, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to; on leaving, the file is flushed and takes its name.

    After an exception nothing is left. With `overwrite=False` an existing file is never replaced
    (`FileExistsError`), also when it appears at the last moment. What is not `durable`, because it can be
    made again, may be absent after a power failure, but never in part.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        sync(temporary)
        if overwrite:
            temporary.replace(path)
        else:
            os.link(temporary, path)  # unlike rename, fails when the name is taken
            temporary.unlink()
        if durable:
            sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def disk_full_told(folder: Path) -> Iterator[None]:
    """Inside, an exception of a library's own that a full disk has caused becomes an `OSError`."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        full = "No space left" in str(error) or shutil.disk_usage(folder).free < _ALMOST_FULL_BYTES
        if not full:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; on leaving, its files are flushed and it takes the place of `path`.

    After an exception nothing is left, and a folder that was there is there still. What processes that
    were killed left beside it is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for other in path.parent.iterdir():
        if other.is_dir() and is_left_behind(other):
            shutil.rmtree(other, ignore_errors=True)
    temporary, old = temporary_beside(path), temporary_beside(path)
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.iterdir():
            sync(file)
        sync(temporary)
        if path.exists():
            path.replace(old)
        temporary.replace(path)
        sync(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.exists() and not path.exists():
            old.replace(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, whole."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")
