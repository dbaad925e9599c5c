"""From a specification to a model, a plan and crops: what every fine-tune and its preflight begin with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from assistant.files import write_json
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen import backend, loading
from assistant.musicgen.dataset import (
    Batch,
    Crops,
    Example,
    choose_examples,
    examples_from,
    nothing_to_learn,
    split,
)
from assistant.musicgen.distributed import World, local_card
from assistant.musicgen.encode import encode_library
from assistant.musicgen.learner import Learner
from assistant.musicgen.models import model_folder, read_card
from assistant.musicgen.optimizer import suitable_learning_rate
from assistant.musicgen.plan import Plan, choose_plan, shape_of
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.texts import TextMix
from assistant.musicgen.tokens import tracks_with_audio

Event = dict[str, Any]

DATA_NAME = "data.json"


@dataclass(frozen=True)
class Prepared:
    """All that the training loop works with."""

    learner: Learner
    plan: Plan
    crops: Crops
    held_out: Batch | None
    learnt: list[Example]
    held: list[Example]
    seconds_of_music: float
    crop_seconds: float
    peak: float
    """The peak of the learning rate."""
    number: torch.dtype
    device: torch.device
    source: Path | None
    """The base model's folder; None for one of the hub."""
    fresh: bool
    """Whether the base has learnt nothing yet."""
    warnings: tuple[str, ...]


def prepare(
    spec: FinetuneSpec, library: Library, folder: Path | None, world: World
) -> Iterator[Event | Prepared]:
    """Yield what is being prepared, and last a `Prepared`.

    With a run's `folder` the choice of tracks is written down there once, so that each process of the
    run has the same. Raises `MusicHelperError` where there is nothing to learn, `CallError` for a
    model that is not there.
    """
    device = backend.choose_device(spec.device)
    if device.type == "cuda" and world.size > 1:
        device = torch.device("cuda", local_card())
    number = backend.choose_training_precision(spec.precision, device)
    yield {"event": "preparing", "what": "tokens"}
    examples = _examples(spec, library, folder)
    contents = {example.content for group in examples for example in group}
    tracks = [track for track in tracks_with_audio(library) if track.content in contents]
    cache, summary = encode_library(library, spec.model, str(device), lambda _done, _total: None, tracks)
    warnings = [
        _("{path} was left out: {reason}").format(path=path, reason=reason)
        for path, reason in summary["failed"]
    ]
    learnt, held = ([example for example in group if example.content in cache] for group in examples)
    if not learnt:
        raise nothing_to_learn()

    source = model_folder(spec.model, library.paths)
    fresh = source is not None and read_card(source).get("trained") is False
    memory = _free_memory(device)  # of the card before anything of this is on it
    lm = loading.load_lm(spec.model, source, device, torch.float32)
    lm.train()
    longest = loading.span_of(lm)
    if spec.crop_seconds > longest and not fresh:
        warnings.append(
            _("Crops are cut to {seconds:g} s, the longest that {model} knows.").format(
                seconds=longest, model=spec.model
            )
        )
    crop_seconds = spec.crop_seconds if fresh else min(spec.crop_seconds, longest)
    frames = int(crop_seconds * summary["frame_rate"])
    half = number != torch.float32
    plan = choose_plan(spec, shape_of(lm, frames), fresh=fresh, half=half, memory=memory)
    learner = Learner(lm, spec, plan, number, world)
    if spec.validate_every and not held:
        warnings.append(_("There are too few tracks to hold one out; the loss is of learnt music only."))
    if "self_wav" in lm.condition_provider.conditioners:
        warnings.append(_("This melody model is fine-tuned on captions only; its melodies stay as they are."))
    mix = TextMix(spec.condition_dropout, spec.tags_share, spec.title_share, spec.field_dropout)

    def crops_of(chosen: list[Example]) -> Crops:
        return Crops(
            library.root, chosen, cache, frames=frames, padding=lm.special_token_id, mix=mix, seed=spec.seed
        )

    parameters = loading.parameters_of(lm)
    yield Prepared(
        learner=learner,
        plan=plan,
        crops=crops_of(learnt),
        held_out=crops_of(held).held_out() if held else None,
        learnt=learnt,
        held=held,
        seconds_of_music=summary["seconds"],
        crop_seconds=crop_seconds,
        peak=spec.learning_rate or suitable_learning_rate(parameters, fresh, plan.method == "lora"),
        number=number,
        device=device,
        source=source,
        fresh=fresh,
        warnings=tuple(warnings),
    )


def describe(spec: FinetuneSpec, prepared: Prepared) -> Event:
    """What a fine-tune works with, as the event of its start tells it."""
    plan, learner = prepared.plan, prepared.learner
    return {
        "base": spec.model,
        "parameters": loading.parameters_of(learner.lm),
        "trained_parameters": sum(one.numel() for one in learner.trained.values()),
        "method": plan.method,
        "rank": plan.rank if plan.method == "lora" else None,
        "batch_size": plan.batch_size,
        "accumulation": plan.accumulation,
        "recompute": plan.recompute,
        "reasons": list(plan.reasons),
        "tracks": len(prepared.learnt),
        "held_out": len(prepared.held),
        "seconds_of_music": prepared.seconds_of_music,
        "crop_seconds": prepared.crop_seconds,
        "peak_learning_rate": prepared.peak,
        "device": str(prepared.device),
        "precision": str(prepared.number).removeprefix("torch."),
    }


def _examples(
    spec: FinetuneSpec, library: Library, folder: Path | None
) -> tuple[list[Example], list[Example]]:
    path = folder / DATA_NAME if folder is not None else None
    if path is not None and path.exists():
        rows = json.loads(path.read_text("utf-8"))
        return examples_from(rows["learnt"]), examples_from(rows["held_out"])
    learnt, held = split(choose_examples(library, spec), spec.seed)
    if path is not None:
        write_json(
            path,
            {
                "learnt": [asdict(example) for example in learnt],
                "held_out": [asdict(example) for example in held],
            },
        )
    return learnt, held


def _free_memory(device: torch.device) -> int | None:
    """What a GPU has free now, in bytes; None on a CPU."""
    if device.type != "cuda":
        return None
    torch.cuda.empty_cache()  # the codec that has just encoded is gone
    free, _total = torch.cuda.mem_get_info(device)
    return int(free)
