"""Files that are whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY_PREFIX = ".musichelper-"
TEMPORARY_SUFFIX = ".tmp"


def temporary_beside(path: Path) -> Path:
    """A name in the same folder for a file not yet whole; hidden, short, and its maker's pid in it."""
    return path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")


def is_temporary(name: str) -> bool:
    """Whether a file name is one of `temporary_beside`."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def maker_of_temporary(name: str) -> int | None:
    """The process id in a temporary name, or None where the name is not ours."""
    if not is_temporary(name):
        return None
    pid = name.removeprefix(TEMPORARY_PREFIX).split("-")[0]
    return int(pid) if pid.isdigit() else None


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to; on leaving, the file is flushed and takes its name.

    After an exception nothing is left. With `overwrite=False` an existing file is never replaced
    (`FileExistsError`), also when it appears at the last moment.
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
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
