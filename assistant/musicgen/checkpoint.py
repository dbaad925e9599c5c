"""Checkpoints of a fine-tune: whole or absent, with a hash of each file; the newest two are kept."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import MusicHelperError
from assistant.files import disk_full_told, whole_folder, write_json
from assistant.i18n import _

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
AVERAGE = "average.safetensors"
STATE = "state.pt"
KEPT = 2
_STEP = re.compile(r"step-(\d{8})")
_BEST = re.compile(r"best-(\d{8})")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """What was saved after a step."""

    step: int
    weights: dict[str, Tensor]
    average: dict[str, Tensor] | None
    state: dict[str, Any]
    """The optimiser, random states and counters."""


def save(
    folder: Path,
    step: int,
    weights: Mapping[str, Tensor],
    state: dict[str, Any],
    notes: dict[str, Any],
    *,
    average: Mapping[str, Tensor] | None = None,
    best: int | None = None,
) -> Path:
    """Write a checkpoint; older ones than the last two go, and best weights that none of them names.

    Everything is flushed before the folder takes its name, the manifest last, so a name in `folder`
    always stands for a checkpoint that can be read. `best` is the step of the best weights so far.
    """
    import torch

    def write(place: Path) -> None:
        _write_tensors(place / WEIGHTS, weights)
        if average is not None:
            _write_tensors(place / AVERAGE, average)
        torch.save(state, place / STATE)

    target = _whole(folder, f"step-{step:08d}", {**notes, "step": step, "best": best}, write)
    kept = _named(folder, _STEP)
    for old in kept[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    named = {_read_manifest(path).get("best") for path in kept[-KEPT:]}
    for path in _named(folder, _BEST):
        if _number(path) not in named:
            shutil.rmtree(path, ignore_errors=True)
    return target


def save_best(folder: Path, step: int, weights: Mapping[str, Tensor]) -> Path:
    """Write the best weights so far; earlier ones stay until no kept checkpoint names them."""
    return _whole(
        folder,
        f"best-{step:08d}",
        {"step": step},
        lambda place: _write_tensors(place / WEIGHTS, weights),
    )


def load_newest(
    folder: Path, device: Any, on_damaged: Callable[[Path], None] = lambda _path: None
) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None where there is none; `on_damaged` gets the others.

    Raises `MusicHelperError` where there are some and none can be read.
    """
    import torch
    from safetensors import SafetensorError

    found = _named(folder, _STEP)
    for path in reversed(found):
        try:
            manifest = _checked(path)
            state = torch.load(path / STATE, map_location="cpu", weights_only=True)
            weights = _read_tensors(path / WEIGHTS, device)
            average = _read_tensors(path / AVERAGE, device) if AVERAGE in manifest["files"] else None
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
            on_damaged(path)
            continue
        return Checkpoint(int(manifest["step"]), weights, average, state)
    if found:
        raise MusicHelperError(
            _("No checkpoint in {folder} can be read.").format(folder=folder),
            _("Delete the folder to start again from the first step."),
        )
    return None


def load_best(folder: Path, step: int, device: Any) -> dict[str, Tensor] | None:
    """The best weights, of this step; None where they cannot be read any more."""
    from safetensors import SafetensorError

    path = folder / f"best-{step:08d}"
    try:
        _checked(path)
        return _read_tensors(path / WEIGHTS, device)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def _whole(folder: Path, name: str, manifest: dict[str, Any], write: Callable[[Path], None]) -> Path:
    target = folder / name
    with whole_folder(target) as temporary:
        with disk_full_told(temporary):
            write(temporary)
        files = {}
        for path in sorted(temporary.iterdir()):
            files[path.name] = {"bytes": path.stat().st_size, "blake2b": _digest(path)}
        content = {**manifest, "files": files}
        write_json(temporary / MANIFEST, {**content, "blake2b": _digest_of(content)})
    return target


def _checked(path: Path) -> dict[str, Any]:
    manifest = _read_manifest(path)
    if manifest.pop("blake2b") != _digest_of(manifest):
        raise ValueError(MANIFEST)
    for name, file in manifest["files"].items():
        if (path / name).stat().st_size != file["bytes"] or _digest(path / name) != file["blake2b"]:
            raise ValueError(name)
    return manifest


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _digest_of(content: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}, path)


def _read_tensors(path: Path, device: Any) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path, device=str(device))


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))


def _number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])
