"""From a specification to a model, a plan and crops: what every fine-tune and its preflight begin with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from assistant.files import write_json
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen import backend, loading
from assistant.musicgen.compiling import why_not_compiled
from assistant.musicgen.conditions import MELODY, has_t5
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
from assistant.musicgen.encode import encode_library, encode_melodies
from assistant.musicgen.learner import Learner
from assistant.musicgen.melody import has_separator
from assistant.musicgen.models import model_folder
from assistant.musicgen.optimizer import suitable_learning_rate
from assistant.musicgen.plan import Plan, choose_plan, shape_of, trains_adapters
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.text_encoder import KeptTexts
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
    cache, summary = encode_library(library, spec.model, str(device), _unseen, tracks, spec.remove)
    failed = list(summary["failed"])
    learnt, held = ([example for example in group if example.content in cache] for group in examples)
    if not learnt:
        raise nothing_to_learn()

    source = model_folder(spec.model, library.paths)
    memory = _free_memory(device)  # of the card before anything of this is on it

    def kept_in(parameters: int) -> torch.dtype:
        """On a GPU, weights beside which adapters learn are never there in more digits than are used."""
        halved = device.type == "cuda" and trains_adapters(spec, parameters)
        return number if halved else torch.float32

    lm = loading.load_lm(spec.model, source, device, kept_in, text_encoder_later=True)
    lm.train()
    warnings, melodies = [], None
    if MELODY in lm.condition_provider.conditioners:
        yield {"event": "preparing", "what": "melodies"}
        melodies, unread = encode_melodies(
            library,
            lm.condition_provider.conditioners[MELODY],
            device,
            _unseen,
            [track for track in tracks if track.content in cache],
            token_rate=summary["frame_rate"],
            removed=spec.remove,
        )
        failed += unread
        learnt, held = (
            [example for example in group if example.content in melodies.arrays] for group in (learnt, held)
        )
        if not learnt:
            raise nothing_to_learn()
        if not has_separator():
            warnings.append(_("No stem separator is installed: drums and bass count as part of the melody."))
    warnings += [
        _("{path} was left out: {reason}").format(path=path, reason=reason) for path, reason in failed
    ]
    longest = loading.span_of(lm)
    if spec.crop_seconds > longest:
        warnings.append(
            _("Crops are cut to {seconds:g} s, the longest that {model} knows.").format(
                seconds=longest, model=spec.model
            )
        )
    crop_seconds = min(spec.crop_seconds, longest)
    frames = int(crop_seconds * summary["frame_rate"])
    half = number != torch.float32
    plan = choose_plan(spec, shape_of(lm, frames), half=half, memory=memory)
    plan = _with_more_reasons(plan, spec, number, device)
    learner = Learner(lm, spec, plan, number, world, _kept_texts(library, lm))
    if spec.validate_every and not held:
        warnings.append(_("There are too few tracks to hold one out; the loss is of learnt music only."))
    mix = TextMix(
        spec.condition_dropout,
        spec.tags_share,
        spec.title_share,
        spec.field_dropout,
        spec.melody_dropout if melodies is not None else 0.0,
    )

    def crops_of(chosen: list[Example]) -> Crops:
        return Crops(
            library.root,
            chosen,
            cache,
            frames=frames,
            padding=lm.special_token_id,
            mix=mix,
            seed=spec.seed,
            melodies=melodies,
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
        peak=spec.learning_rate or suitable_learning_rate(parameters, plan.method == "lora"),
        number=number,
        device=device,
        source=source,
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


def _with_more_reasons(plan: Plan, spec: FinetuneSpec, number: torch.dtype, device: torch.device) -> Plan:
    """The plan with what it says about the precision, and about compiling where that was asked for."""
    reasons = [_precision_words(spec, number, device)]
    if spec.compile:
        why_not = why_not_compiled(spec, plan, device)
        reasons.append(why_not or _("The layers are compiled, which takes a minute or more at the start."))
        plan = replace(plan, compiled=why_not is None)
    return replace(plan, reasons=(*plan.reasons, *reasons))


def _precision_words(spec: FinetuneSpec, number: torch.dtype, device: torch.device) -> str:
    name = str(number).removeprefix("torch.")
    if spec.precision != "auto":
        return _("Products are made in {name}, as asked.").format(name=name)
    if number == torch.float32:
        return _("All is computed in float32: this processor has no units for bfloat16.")
    if device.type == "cpu":
        return _(
            "Products are made in {name}, for which this processor has units; weights, loss and optimizer "
            "are in float32, and with --precision float32 the products too."
        ).format(name=name)
    return _(
        "Products are made in {name}; what is trained, the loss and the optimizer are in float32."
    ).format(name=name)


def _kept_texts(library: Library, lm: Any) -> KeptTexts | None:
    """Where the captions of a model with T5 are kept as it reads them."""
    conditioner = lm.condition_provider.conditioners["description"]
    return KeptTexts(library.paths.tokens, conditioner) if has_t5(conditioner) else None


def _unseen(_done: int, _total: int) -> None:
    pass


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
