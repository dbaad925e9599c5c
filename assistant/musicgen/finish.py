"""The end of a fine-tune: its weights become a model of the library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from assistant.library.library import Library
from assistant.musicgen import loading
from assistant.musicgen.export import codec_package, free_name, write_adapter, write_model
from assistant.musicgen.models import HUB_MODELS, licence_of, root_of
from assistant.musicgen.preparing import Prepared
from assistant.musicgen.spec import FinetuneSpec

if TYPE_CHECKING:
    from assistant.musicgen.progress import Progress


def export_finetuned(
    spec: FinetuneSpec,
    library: Library,
    folder: Path,
    prepared: Prepared,
    progress: Progress,
    step: int,
    leads: bool,
) -> str | None:
    """Write the model as it is now, the weights after `step`, and its card; returns its name.

    Only the process that leads writes; the others must call where weights are shared out.
    """
    weights = prepared.learner.all_weights()
    if not leads:
        return None
    name = free_name(library.paths.models, spec.name, folder.name)
    target = library.paths.models / name
    card = _card(spec, library, folder, prepared, progress, step)
    learner, plan = prepared.learner, prepared.plan
    if plan.method == "lora":
        write_adapter(target, learner.trained, plan.rank, plan.alpha, card)
        return name
    from omegaconf import OmegaConf

    config = OmegaConf.create(OmegaConf.to_container(learner.lm.cfg))
    config.device, config.dtype = "cpu", "float32"
    root, source = root_of(spec.model, prepared.source)
    # The hub's models are kept in half precision, as their makers publish them.
    number = torch.float16 if source is None else torch.float32
    write_model(
        target,
        lm_state={key: value.detach().to("cpu", number) for key, value in weights.items()},
        lm_config=OmegaConf.to_yaml(config),
        codec=codec_package(source, root),
        card=card,
    )
    return name


def _card(
    spec: FinetuneSpec, library: Library, folder: Path, prepared: Prepared, progress: Progress, step: int
) -> dict[str, Any]:
    plan, losses = prepared.plan, progress.losses
    inside = spec.model in HUB_MODELS or (library.paths.models / spec.model).is_dir()
    return {
        "kind": "fine-tuned",
        "base": spec.model if inside else str(prepared.source),
        "run": folder.name,
        "method": plan.method,
        "rank": plan.rank if plan.method == "lora" else None,
        "licence": licence_of(spec.model, library.paths),
        "parameters": loading.parameters_of(prepared.learner.lm),
        "data": {
            "tracks": len(prepared.learnt),
            "held_out": len(prepared.held),
            "seconds": prepared.seconds_of_music,
            "genres": sorted({example.genre for example in prepared.learnt if example.genre}),
        },
        "settings": {
            **spec.as_dict(),
            "method": plan.method,
            "batch_size": plan.batch_size,
            "accumulation": plan.accumulation,
            "learning_rate": prepared.peak,
            "crop_seconds": prepared.crop_seconds,
        },
        "losses": {
            "first": losses[0][1] if losses else None,
            "last": losses[-1][1] if losses else None,
            "validation": progress.validations,
            "best": progress.best_loss if progress.best_step is not None else None,
            "each": progress.validation_each,
        },
        "steps": progress.step,
        "exported_step": step,
    }
