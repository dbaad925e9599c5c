"""What a fine-tune would take, from a look at its music and two steps that are thrown away."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from assistant.i18n import _, ngettext
from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.checkup import captions_alike, look_at
from assistant.musicgen.distributed import World
from assistant.musicgen.preparing import Prepared, prepare
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.tokens import tracks_with_audio

_STEPS = 2
_CHECKPOINTS_AT_ONCE = 3
"""Two are kept while another is written."""
_MANY_PASSES = 50


@dataclass(frozen=True)
class Preflight:
    """What is known before the start. Times in seconds, sizes in bytes."""

    tracks: int
    held_out: int
    seconds_of_music: float
    steps: int
    passes: float
    """How often each second of music is heard."""
    method: str
    batch_size: int
    accumulation: int
    trained_parameters: int
    seconds_per_step: float
    seconds: float
    """Of the whole fine-tune, without samples."""
    memory_bytes: int
    memory_total: int
    """Of the GPU, or of the machine."""
    disk_bytes: int
    disk_free: int
    device: str
    precision: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def preflight(spec: FinetuneSpec, library: Library, emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Prepare as the run would, learn twice and forget it again; a `Preflight` as plain values.

    What is prepared for good, the tokens, is kept for the run. Raises what
    the run itself would raise.
    """
    backend.prepare()
    torch.set_num_threads(backend.usable_threads())
    prepared: Prepared | None = None
    for told in prepare(spec, library, None, World()):
        if isinstance(told, Prepared):
            prepared = told
        else:
            emit(told)
    assert prepared is not None
    emit({"event": "preparing", "what": "steps"})
    plan, learner = prepared.plan, prepared.learner
    crops = plan.batch_size * plan.accumulation
    if prepared.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(prepared.device)
    times = []
    for step in range(_STEPS):
        batch = prepared.crops.batch(step, crops)
        began = time.monotonic()
        while True:
            try:
                learner.update(batch, prepared.peak, step + 1)
                break
            except torch.OutOfMemoryError:
                if not learner.smaller():
                    raise
        times.append(time.monotonic() - began)
    each = min(times)
    looks = spec.steps // spec.validate_every if spec.validate_every and prepared.held_out is not None else 0
    look = 0.0
    if looks and prepared.held_out is not None:
        began = time.monotonic()
        learner.evaluate(prepared.held_out)
        look = time.monotonic() - began
    disk = _disk_needed(prepared)
    free = shutil.disk_usage(library.root).free
    memory, total = _memory(prepared.device)
    warnings = [*prepared.warnings, *_music_warnings(prepared, library)]
    heard = spec.steps * crops * prepared.crop_seconds / max(1.0, prepared.seconds_of_music)
    if heard > _MANY_PASSES:
        warnings.append(
            _("Each second of music is heard {count:.0f} times; the model may learn it by heart.").format(
                count=heard
            )
        )
    if disk > free:
        warnings.append(
            _("The checkpoints need {needed:.1f} GB, and {free:.1f} GB are free.").format(
                needed=disk / 1e9, free=free / 1e9
            )
        )
    if learner.micro < plan.batch_size:
        warnings.append(
            _("The memory was not enough for {wanted} crops at once; {batch} fit.").format(
                wanted=plan.batch_size, batch=learner.micro
            )
        )
    return asdict(
        Preflight(
            tracks=len(prepared.learnt),
            held_out=len(prepared.held),
            seconds_of_music=prepared.seconds_of_music,
            steps=spec.steps,
            passes=heard,
            method=plan.method,
            batch_size=learner.micro,
            accumulation=-(-crops // learner.micro),
            trained_parameters=sum(one.numel() for one in learner.trained.values()),
            seconds_per_step=each,
            seconds=spec.steps * each + (looks + 1) * look,
            memory_bytes=memory,
            memory_total=total,
            disk_bytes=disk,
            disk_free=free,
            device=str(prepared.device),
            precision=str(prepared.number).removeprefix("torch."),
            reasons=plan.reasons,
            warnings=tuple(warnings),
        )
    )


def _disk_needed(prepared: Prepared) -> int:
    """Weights, two moments and perhaps an average in each checkpoint; the best weights; the model."""
    trained = sum(one.numel() for one in prepared.learner.trained.values()) * 4
    checkpoint = trained * (4 if prepared.learner.average else 3)
    return checkpoint * _CHECKPOINTS_AT_ONCE + 2 * trained + trained


def _memory(device: torch.device) -> tuple[int, int]:
    if device.type == "cuda":
        used = int(torch.cuda.max_memory_reserved(device))
        return used, int(torch.cuda.get_device_properties(device).total_memory)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return most, backend.machine_memory()


def _music_warnings(prepared: Prepared, library: Library) -> list[str]:
    chosen = {example.content for example in prepared.learnt}
    paths = [
        library.root / track.wav
        for track in tracks_with_audio(library)
        if track.content in chosen and track.wav is not None
    ]
    looked = [found for path in paths if (found := look_at(path)) is not None]
    counts = {
        "silent": sum(one.silent for one in looked),
        "one_shot": sum(one.one_shot for one in looked),
        "clipped": sum(one.clipped for one in looked),
    }
    words = []
    if counts["silent"]:
        words.append(
            ngettext(
                "{count} track is silent for half of its length or more; silence is what it teaches.",
                "{count} tracks are silent for half of their length or more; silence is what they teach.",
                counts["silent"],
            ).format(count=counts["silent"])
        )
    if counts["one_shot"]:
        words.append(
            ngettext(
                "{count} track is shorter than two seconds: a sound, not music.",
                "{count} tracks are shorter than two seconds: sounds, not music.",
                counts["one_shot"],
            ).format(count=counts["one_shot"])
        )
    if counts["clipped"]:
        words.append(
            ngettext(
                "{count} track is clipped; the distortion is learnt too.",
                "{count} tracks are clipped; the distortion is learnt too.",
                counts["clipped"],
            ).format(count=counts["clipped"])
        )
    if captions_alike(prepared.crops.captions(len(prepared.learnt))):
        words.append(
            _("More than half of the captions are the same; the model cannot learn what the words mean.")
        )
    return words
