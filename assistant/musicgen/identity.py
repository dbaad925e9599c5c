"""Which weights a model is made of, as hashes of its files; light, and remembered."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from assistant.files import write_json
from assistant.library.host import hub_cache
from assistant.library.library import LibraryPaths
from assistant.musicgen.models import base_of, is_adapter, model_folder, root_of

_WEIGHTS = (".bin", ".safetensors", ".th", ".pt")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def model_hashes(name: str, paths: LibraryPaths) -> dict[str, str]:
    """`model_hash` of the weights that a model stands on, and `adapter_hash` where it is an adapter.

    Empty for a model of the hub that is not on this machine. Raises `CallError` for an unknown name.
    """
    known = _Known(paths.state / "hashes.json")
    folder = model_folder(name, paths)
    root_name, root = root_of(name, folder)
    hashes = {"model_hash": known.of_files(_weights(root if root is not None else _snapshot(root_name)))}
    if folder is not None and is_adapter(folder):
        chain = []
        while folder is not None and is_adapter(folder):
            chain += _weights(folder)
            _name, folder = base_of(folder)
        hashes["adapter_hash"] = known.of_files(chain)
    known.save()
    return {key: value for key, value in hashes.items() if value}


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in _WEIGHTS)


def _snapshot(name: str) -> Path | None:
    """Where the hub's cache keeps the files of a model that would be loaded."""
    place = hub_cache() / f"models--{name.replace('/', '--')}"
    try:
        return place / "snapshots" / (place / "refs" / "main").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


class _Known:
    """Hashes of files that have not changed since they were computed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._values: dict[str, list[object]] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            self._values = {}
        self._new = False

    def of_files(self, paths: list[Path]) -> str:
        """One hash of several files' names and contents; empty for none."""
        if not paths:
            return ""
        if len(paths) == 1:
            return self._of_file(paths[0])
        text = "\n".join(f"{self._of_file(path)} {path.name}" for path in paths)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def save(self) -> None:
        """Keep what is new for the next time, where that can be."""
        if self._new:
            try:
                write_json(self._path, self._values)
            except OSError:
                return  # it is computed again

    def _of_file(self, path: Path) -> str:
        real = path.resolve()
        if _SHA256.fullmatch(real.name):
            return real.name  # the hub's cache names large files by their hash
        found = real.stat()
        key, stamp = os.fspath(real), [found.st_size, found.st_mtime_ns, found.st_ino]
        before = self._values.get(key)
        if before is None or before[:3] != stamp:
            before = self._values[key] = [*stamp, file_hash(real)]
            self._new = True
        return str(before[3])
