"""Checkpoints of a fine-tune: whole or absent, the newest two kept."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from assistant.errors import MusicHelperError
from assistant.files import sync, temporary_beside, write_json
from assistant.i18n import _

MANIFEST = "manifest.json"
STATE = "state.pt"
KEPT = 2
_NAME = re.compile(r"step-(\d{8})")


def save(folder: Path, step: int, state: dict[str, Any], notes: dict[str, Any]) -> Path:
    """Write a checkpoint of `state` (tensors and plain values); older ones than the last two go.

    Everything is flushed before the folder takes its name, the manifest last, so a name in
    `folder` always stands for a checkpoint that can be read.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step-{step:08d}"
    temporary = temporary_beside(target)
    try:
        temporary.mkdir()
        torch.save(state, temporary / STATE)
        sync(temporary / STATE)
        size = (temporary / STATE).stat().st_size
        write_json(temporary / MANIFEST, {**notes, "step": step, "files": {STATE: size}})
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
        sync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for old in _all(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_newest(folder: Path, device: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """State and manifest of the newest checkpoint that is whole, or None where there is none.

    Raises `MusicHelperError` where there are some and none can be read.
    """
    import torch

    found = _all(folder)
    for path in reversed(found):
        try:
            manifest = json.loads((path / MANIFEST).read_text("utf-8"))
            if (path / STATE).stat().st_size != manifest["files"][STATE]:
                continue
            state = torch.load(path / STATE, map_location=device, weights_only=True)
        except (OSError, ValueError, KeyError, RuntimeError):
            continue
        return state, manifest
    if found:
        raise MusicHelperError(
            _("No checkpoint in {folder} can be read.").format(folder=folder),
            _("Delete the folder to start again from the first step."),
        )
    return None


def _all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
