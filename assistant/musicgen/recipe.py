"""Everything needed to make a clip again, kept in the clip itself and in the ledger."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from assistant.audio.metadata import read_comment
from assistant.audio.open import open_sound
from assistant.errors import CallError, FileError, MusicHelperError
from assistant.i18n import _
from assistant.library.library import LibraryPaths
from assistant.musicgen.identity import file_hash, model_hashes
from assistant.musicgen.spec import GenerateSpec

PROGRAM = "musichelper"
_INPUTS = ("continue_from", "melody")


def program_name() -> str:
    """The program and its version, as a file's metadata has it."""
    try:
        return f"{PROGRAM} {version(PROGRAM)}"
    except PackageNotFoundError:
        return PROGRAM


def new_recipe(
    spec: GenerateSpec, *, hashes: dict[str, str], inputs: dict[str, Path | None], **facts: Any
) -> dict[str, Any]:
    """The recipe of one clip: all settings, hashes of the model and of the files that were heard, facts."""
    values = {
        **spec.as_dict(),
        "version": program_name().removeprefix(PROGRAM).strip(),
        "out": None,
        **hashes,
    }
    for name, path in inputs.items():
        if path is not None:
            values[name] = os.fsdecode(path)
            values[f"{name}_hash"] = file_hash(path)
    return {**values, **facts, "made": time.strftime("%Y-%m-%dT%H:%M:%S%z")}


def as_comment(recipe: dict[str, Any]) -> str:
    """The recipe as one line of ASCII for a file's comment: each kind of file keeps that as it is."""
    return json.dumps({"program": PROGRAM, **recipe}, separators=(",", ":"))


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in an audio file. Raises `FileError` for a file that carries none."""
    try:
        recipe = json.loads(read_comment(path))
    except ValueError:
        recipe = None
    if not isinstance(recipe, dict) or recipe.get("program") != PROGRAM:
        raise FileError(
            path,
            _("This file carries no recipe."),
            _("Only clips that musichelper made have one; another program may have removed it."),
        )
    return recipe


def spec_again(recipe: dict[str, Any], paths: LibraryPaths, changes: dict[str, Any]) -> GenerateSpec:
    """What makes the clip of a recipe again, with some settings changed.

    Raises `MusicHelperError` where the model, or a file that was heard, is missing or is not the one of
    the recipe any more, unless `changes` names another.
    """
    if "model" not in changes:
        _check_finished(recipe)
        _check_model(recipe, paths)
    for name in _INPUTS:
        if name not in changes:
            _check_input(name, recipe)
    for prompt, english in (("prompt", {"english": ""}), ("then", {"then_english": ()})):
        if prompt in changes:
            changes = {**english, **changes}
    return dataclasses.replace(GenerateSpec.from_dict(recipe), **changes)


def same_sound(one: Path, other: Path) -> bool:
    """Whether two files decode to exactly the same samples."""
    import numpy as np

    with open_sound(one) as first, open_sound(other) as second:
        return first.samplerate == second.samplerate and np.array_equal(
            first.read(dtype="int32"), second.read(dtype="int32")
        )


def _check_finished(recipe: dict[str, Any]) -> None:
    """The model of a sample that a run made on its way is not kept."""
    if recipe.get("step"):
        raise MusicHelperError(
            _("The clip is a sample of the run {run} after {step} steps; that model is not kept.").format(
                run=recipe.get("run"), step=recipe["step"]
            ),
            _("Name the model that came out, `--model {model}`: that makes another clip.").format(
                model=recipe.get("model")
            ),
        )


def _check_model(recipe: dict[str, Any], paths: LibraryPaths) -> None:
    name = str(recipe.get("model") or "")
    another = _("Bring it back, or name another with `--model M`: that makes another clip.")
    try:
        now = model_hashes(name, paths)
    except CallError as error:
        raise MusicHelperError(
            _("The model {model} of the recipe is not here.").format(model=name), another
        ) from error
    changed = _(
        "Bring the old one back, or take the new one with `--model {model}`: that makes another clip."
    )
    for key in ("model_hash", "adapter_hash"):
        if recipe.get(key) and now and recipe[key] != now.get(key):
            raise MusicHelperError(
                _("The model {model} has changed since the clip was made.").format(model=name),
                changed.format(model=name),
            )


def _check_input(name: str, recipe: dict[str, Any]) -> None:
    if not recipe.get(name):
        return
    path = Path(str(recipe[name]))
    wanted = recipe.get(f"{name}_hash")
    option = {"continue_from": "--continue", "melody": "--melody"}[name]
    if not path.is_file():
        raise MusicHelperError(
            _("The file {path} that the clip was made from is not there any more.").format(path=path),
            _("Bring it back, or name it with `{option} FILE`.").format(option=option),
        )
    if wanted and file_hash(path) != wanted:
        raise MusicHelperError(
            _("The file {path} that the clip was made from has changed.").format(path=path),
            _(
                "Bring the old one back, or name another with `{option} FILE`: that makes another clip."
            ).format(option=option),
        )
