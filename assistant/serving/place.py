"""Where the engine of this user is found, and which program it belongs to."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import assistant
from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.runs.lock import ProcessLock

_LONGEST_SOCKET_PATH = 107
"""Bytes that fit into sun_path with their end (unix(7))."""
_PACKAGE = Path(assistant.__file__).parent


@dataclass(frozen=True)
class EnginePlace:
    """The files of one engine. Programs in different folders have engines of their own."""

    folder: Path
    name: str

    @property
    def socket(self) -> Path:
        """Where the engine listens."""
        return self.folder / f"{self.name}.sock"

    @property
    def log(self) -> Path:
        """What the engine and its libraries print."""
        return self.folder / f"{self.name}.log"

    def lock(self) -> ProcessLock:
        """Held by the engine as long as it lives."""
        return ProcessLock(self.folder / f"{self.name}.lock")


def engine_place() -> EnginePlace:
    """The place for this user and this program; its folder is made, for nobody else to enter.

    Raises `MusicHelperError` where somebody else has taken the folder.
    """
    name = "engine-" + hashlib.blake2b(os.fsencode(_PACKAGE), digest_size=4).hexdigest()
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    # /tmp too, because a long TMPDIR leaves no room for the name of a socket.
    choices = [Path(runtime) / "musichelper"] if runtime else []
    choices += [Path(parent) / f"musichelper-{os.getuid()}" for parent in (tempfile.gettempdir(), "/tmp")]
    refused = choices[-1]
    for folder in choices:
        place = EnginePlace(folder, name)
        if len(os.fsencode(place.socket)) > _LONGEST_SOCKET_PATH:
            continue
        if _made_private(folder):
            return place
        refused = folder
    raise MusicHelperError(
        _("The folder {folder} for the engine cannot be used.").format(folder=refused),
        _("It must belong to you alone. Remove it, or set XDG_RUNTIME_DIR to a folder of yours."),
    )


def _made_private(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        if stat.S_IMODE(found.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError:
        return False
    return True


@functools.cache
def program_version() -> str:
    """The version of the program; of a checkout that was never installed, 0."""
    try:
        return version("musichelper")
    except PackageNotFoundError:
        return "0"


def program_stamp() -> str:
    """What changes with every upgrade, and with every edit of a checkout: version and newest source."""
    newest = max(path.stat().st_mtime_ns for path in _PACKAGE.rglob("*.py"))
    return f"{program_version()}-{newest}"
