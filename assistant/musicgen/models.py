"""Which models there are, and loading one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _
from assistant.library.host import hub_cache
from assistant.library.library import Library, LibraryPaths
from assistant.musicgen.blueprint import CODEC_FILE, LM_FILE, has_package

if TYPE_CHECKING:
    from assistant.musicgen.engine.engine import Engine

BUILT_IN = "mini"
MINI_FOLDER = Path(__file__).parent / "mini" / "model"
"""The model that comes with the package; `python -m assistant.musicgen.mini` makes it."""
CARD_FILE = "card.json"
ADAPTER_FILE = "adapter.safetensors"
EXPORT_FORMATS = ("audiocraft", "huggingface", "adapter")
HUB_LICENCE = "CC-BY-NC-4.0"

HUB_MODELS = {
    "facebook/musicgen-small": 420_400_000,
    "facebook/musicgen-medium": 1_838_700_000,
    "facebook/musicgen-large": 3_257_000_000,
    "facebook/musicgen-melody": 1_838_700_000,
    "facebook/musicgen-melody-large": 3_257_000_000,
    "facebook/musicgen-stereo-small": 420_400_000,
    "facebook/musicgen-stereo-medium": 1_838_700_000,
    "facebook/musicgen-stereo-large": 3_257_000_000,
    "facebook/musicgen-stereo-melody": 1_838_700_000,
    "facebook/musicgen-stereo-melody-large": 3_257_000_000,
}
"""The models of the hub that audiocraft loads, with their (approximate) numbers of parameters."""


@dataclass(frozen=True)
class ModelInfo:
    """A model one can generate with or start a fine-tune from."""

    name: str
    kind: str
    """hub, built-in, fine-tuned or folder."""
    path: Path | None
    parameters: int | None
    licence: str
    present: bool
    """Whether it is on this machine."""
    detail: str
    base: str | None = None
    """What a fine-tuned model was made from."""


def list_models(library: Library) -> list[ModelInfo]:
    """The built-in model, the library's own ones, newest first, and those of the hub. Reads no weights."""
    own = [_folder_model(folder.name, folder) for folder in _model_folders(library.paths)]
    own.sort(key=lambda model: -stamp_of(model.path))
    hub = [_hub_model(name, parameters) for name, parameters in HUB_MODELS.items()]
    return [_folder_model(BUILT_IN, MINI_FOLDER), *own, *hub]


def model_folder(name: str, paths: LibraryPaths) -> Path | None:
    """The folder that a name means, or None for a name of the hub.

    A name may be a model of the library or a path to a folder with audiocraft's two files. Raises
    `CallError` where it is none of these.
    """
    if name == BUILT_IN:
        return MINI_FOLDER
    for folder in (paths.models / name, Path(name).expanduser()):
        if is_model(folder):
            return folder.absolute()
    if name in HUB_MODELS:
        return None
    if Path(name).expanduser().is_dir():
        raise CallError(
            _("The folder {folder} holds no model.").format(folder=name),
            _("It needs {lm} and {codec}, as audiocraft writes them.").format(lm=LM_FILE, codec=CODEC_FILE),
        )
    raise CallError(
        _("There is no model called {name}.").format(name=name),
        _("See `musichelper models list`."),
    )


def is_model(folder: Path) -> bool:
    """Whether a folder has audiocraft's two files, or adapters with a card that names their base."""
    whole = has_package(folder, LM_FILE) and has_package(folder, CODEC_FILE)
    return whole or (is_adapter(folder) and bool(read_card(folder).get("base")))


def is_adapter(folder: Path) -> bool:
    """Whether a model's folder holds only what is added to another model."""
    return (folder / ADAPTER_FILE).is_file() and not has_package(folder, LM_FILE)


def base_of(folder: Path) -> tuple[str, Path | None]:
    """The name and folder of what an adapter belongs to; no folder for a model of the hub.

    Raises `MusicHelperError` where it is gone.
    """
    base = str(read_card(folder).get("base"))
    if base == BUILT_IN:
        return base, MINI_FOLDER
    for place in (folder.parent / base, Path(base)):
        if is_model(place) and place != folder:
            return base, place
    if base in HUB_MODELS:
        return base, None
    raise MusicHelperError(
        _("The model {name} needs its base {base}, which is gone.").format(name=folder.name, base=base),
        _("Bring the folder {base} back into the library's models.").format(base=base),
    )


def root_of(name: str, folder: Path | None) -> tuple[str, Path | None]:
    """The model with all weights that a model stands on: itself, unless it is an adapter."""
    while folder is not None and is_adapter(folder):
        name, folder = base_of(folder)
    return name, folder


def stamp_of(folder: Path | None) -> float:
    """When a model was written; 0 for one of the hub."""
    if folder is None:
        return 0.0
    files = [folder / name for name in (LM_FILE, ADAPTER_FILE)]
    files.append(files[0].with_suffix(".safetensors"))
    return max(path.stat().st_mtime for path in files if path.exists())


def read_card(folder: Path) -> dict[str, Any]:
    """What is written down about a model; empty where nothing is."""
    try:
        card = json.loads((folder / CARD_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def licence_of(name: str, paths: LibraryPaths) -> str:
    """The licence of a model by name, as its card has it; the hub's models are not for commerce."""
    folder = model_folder(name, paths)
    if folder is None:
        return HUB_LICENCE
    return str(read_card(folder).get("licence") or "unknown")


def load_model(name: str, library_root: Path, device: str, precision: str) -> Engine:
    """Load a model for generation. Only for worker and run processes: imports torch and audiocraft.

    Raises `CallError` for an unknown name and `MusicHelperError` for a model that cannot be had.
    """
    from assistant.musicgen.loading import load

    return load(name, LibraryPaths(library_root), device, precision)


def _model_folders(paths: LibraryPaths) -> list[Path]:
    if not paths.models.is_dir():
        return []
    return [
        folder for folder in paths.models.iterdir() if not folder.name.startswith(".") and is_model(folder)
    ]


def _folder_model(name: str, folder: Path) -> ModelInfo:
    card = read_card(folder)
    kind = str(card.get("kind") or "folder")
    if kind == "fine-tuned":
        detail = _("Fine-tuned from {base} on {tracks} tracks.").format(
            base=card.get("base", "?"), tracks=card.get("data", {}).get("tracks", "?")
        )
    elif kind == "built-in":
        detail = _("Small and fast; plays ten genres as a General MIDI band would.")
    else:
        detail = _("A model in audiocraft's format.")
    return ModelInfo(
        name=name,
        kind=kind,
        path=folder,
        parameters=card.get("parameters"),
        licence=str(card.get("licence") or "unknown"),
        present=True,
        detail=detail,
        base=str(card["base"]) if kind == "fine-tuned" and card.get("base") else None,
    )


def _hub_model(name: str, parameters: int) -> ModelInfo:
    present = any(hub_cache().glob(f"models--{name.replace('/', '--')}/snapshots/*/{LM_FILE}"))
    detail = _("On this machine.") if present else _("Fetched from the Hugging Face hub when first used.")
    return ModelInfo(
        name=name,
        kind="hub",
        path=None,
        parameters=parameters,
        licence=HUB_LICENCE,
        present=present,
        detail=detail,
    )
