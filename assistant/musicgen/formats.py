"""A model of the library for other programs: audiocraft's files, transformers' files, or its adapter."""

from __future__ import annotations

import shutil
from pathlib import Path

from assistant.errors import CallError
from assistant.files import temporary_beside
from assistant.i18n import _
from assistant.library.library import LibraryPaths
from assistant.musicgen import backend, loading
from assistant.musicgen.blueprint import LM_FILE
from assistant.musicgen.export import codec_package, write_model
from assistant.musicgen.huggingface import write_huggingface
from assistant.musicgen.models import is_adapter, model_folder, read_card, root_of


def export_model(name: str, paths: LibraryPaths, form: str, folder: Path) -> None:
    """Write a model into a new folder, whole or not at all.

    Raises `CallError` where it has no such form, `MusicHelperError` where it cannot be loaded.
    """
    source = model_folder(name, paths)
    temporary = temporary_beside(folder)
    try:
        if form == "huggingface":
            _as_huggingface(name, source, temporary)
        elif form == "adapter":
            if source is None or not is_adapter(source):
                raise CallError(
                    _("The model {name} is no adapter.").format(name=name),
                    _("It was trained whole; export it for audiocraft or transformers."),
                )
            shutil.copytree(source, temporary)
        elif source is not None and (source / LM_FILE).is_file():
            shutil.copytree(source, temporary)
        else:
            _as_audiocraft(name, source, temporary)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _as_audiocraft(name: str, source: Path | None, folder: Path) -> None:
    backend.prepare()
    import torch
    from omegaconf import OmegaConf

    lm = loading.load_lm(name, source, torch.device("cpu"), torch.float32)
    root, place = root_of(name, source)
    config = OmegaConf.create(OmegaConf.to_container(lm.cfg))
    number = torch.float16 if place is None else torch.float32
    card = {} if source is None else read_card(source)
    write_model(
        folder,
        lm_state={key: value.to(number) for key, value in lm.state_dict().items()},
        lm_config=OmegaConf.to_yaml(config),
        codec=codec_package(place, root),
        card={"kind": "folder", **card, "name": name, "method": "merged"},
    )


def _as_huggingface(name: str, source: Path | None, folder: Path) -> None:
    backend.prepare()
    import torch

    cpu = torch.device("cpu")
    lm = loading.load_lm(name, source, cpu, torch.float32)
    write_huggingface(lm, loading.load_codec(name, source, cpu), folder)
    for file in ("README.md", "card.json"):
        if source is not None and (source / file).exists():
            shutil.copyfile(source / file, folder / file)
