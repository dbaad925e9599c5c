"""A model folder: audiocraft's two files, or adapters, with a card that says what it is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assistant.files import disk_full_told, whole_folder, write_json, write_text
from assistant.musicgen.adapter import save_adapter
from assistant.musicgen.blueprint import CODEC_FILE, LM_FILE, package, read_safe_package, save_package
from assistant.musicgen.card import README_FILE, model_card
from assistant.musicgen.models import ADAPTER_FILE, CARD_FILE, read_card


def free_name(models: Path, name: str, run: str) -> str:
    """The name, or the name with a number where another model than this run's already has it."""
    candidate, number = name, 1
    while (models / candidate).exists() and read_card(models / candidate).get("run") != run:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def write_model(
    folder: Path,
    *,
    lm_state: dict[str, Any],
    lm_config: str,
    codec: dict[str, Any] | Path,
    card: dict[str, Any],
) -> None:
    """Write a model folder, whole or not at all; `codec` is a package or a file to copy.

    An older model of the same name is replaced only when the new one is on the disk.
    """

    def write(place: Path) -> None:
        save_package(place / LM_FILE, package(lm_state, lm_config))
        if isinstance(codec, Path):
            shutil.copyfile(codec, place / CODEC_FILE)
        else:
            save_package(place / CODEC_FILE, codec)

    _write_folder(folder, card, write)


def write_adapter(
    folder: Path, trained: Mapping[str, Any], rank: int, alpha: float, card: dict[str, Any]
) -> None:
    """Write a model folder that holds adapters; the card names the base that they belong to."""

    def write(place: Path) -> None:
        save_adapter(place / ADAPTER_FILE, trained, rank, alpha)

    _write_folder(folder, card, write)


def _write_folder(folder: Path, card: dict[str, Any], write: Callable[[Path], None]) -> None:
    with whole_folder(folder) as temporary:
        with disk_full_told(temporary):
            write(temporary)
        write_json(temporary / CARD_FILE, {"name": folder.name, "made": time.time(), **card})
        if card["kind"] == "fine-tuned":
            write_text(temporary / README_FILE, model_card(folder.name, card))


def codec_package(source: Path | None, name: str) -> dict[str, Any] | Path:
    """What goes into the new folder as its codec: the base's file, or the reference that the hub has."""
    if source is not None:
        return read_safe_package(source, CODEC_FILE) or source / CODEC_FILE
    from audiocraft.models import loaders

    found: dict[str, Any] = loaders.load_compression_model_ckpt(name)
    return found
