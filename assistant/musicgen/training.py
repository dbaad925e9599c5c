"""The fine-tune: one loop, readable from top to bottom. Imported only in a run's own process."""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from assistant.config import Settings, load_settings
from assistant.errors import MusicHelperError
from assistant.files import write_json
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen import backend, checkpoint, loading
from assistant.musicgen.conditions import condition_tensors
from assistant.musicgen.dataset import (
    Batch,
    Crops,
    Example,
    choose_examples,
    examples_from,
    nothing_to_learn,
    split,
)
from assistant.musicgen.encode import encode_library
from assistant.musicgen.export import codec_package, free_name, write_model
from assistant.musicgen.loss import cross_entropies, mean_loss, pattern_sequence
from assistant.musicgen.models import BUILT_IN, is_model, licence_of, model_folder, read_card
from assistant.musicgen.small import CODEC_SECONDS
from assistant.musicgen.small_training import make_small_model
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.tokens import tracks_with_audio

Control = Callable[[], str | None]
Event = dict[str, Any]

DATA_NAME = "data.json"
SETTINGS_NAME = "settings.json"
MOST_BAD_STEPS = 5
FINAL_LEARNING_RATE = 0.1
"""The schedule ends at this part of its peak."""
PAUSE_SECONDS = 0.2


def finetune(spec: FinetuneSpec, library_root: Path, folder: Path, control: Control) -> Iterator[Event]:
    """Fine-tune a model on the library's tracks and export it; yields what happens.

    Goes on by itself from the newest checkpoint in `folder/checkpoints`, exactly as if it had never
    stopped. `control()` is asked once a step: "save" (told once), "pause" (as long as it shall
    last), "stop" or None.
    Events: "preparing", "start", "step", "validation", "checkpoint", "warning", "paused", and last
    "end" with the state (done or stopped) and the name of the exported model.
    """
    spec.check()
    backend.prepare()
    with Library(library_root, _settings(folder)) as library:
        yield from _Finetune(spec, library, folder, control).run()


class _Finetune:
    """The state of one fine-tune."""

    def __init__(self, spec: FinetuneSpec, library: Library, folder: Path, control: Control) -> None:
        self.spec = spec
        self.library = library
        self.folder = folder
        self.control = control
        self.device = backend.choose_device(spec.device)
        self.number = backend.choose_precision(spec.precision, self.device)
        self.step = 0
        self.bad_steps = 0
        self.losses: list[list[float]] = []  # step, loss
        self.validations: list[list[float]] = []

    def run(self) -> Iterator[Event]:
        """Everything, from the data to the exported model."""
        torch.set_num_threads(backend.usable_threads())
        yield from self._prepare()
        self._resume()
        yield self._start_event()
        if self.step == 0 and self.spec.validate_every and self.held_out:
            yield self._validate()

        state = "done"
        while self.step < self.spec.steps:
            word = self.control()
            if word == "pause":
                yield self._save()
                yield {"event": "paused", **self._place()}
                word = self._wait()
            if word == "stop":
                state = "stopped"
                break
            if word == "save":
                yield self._save()

            try:
                yield self._train_step()
            except torch.OutOfMemoryError as error:
                raise MusicHelperError(
                    _("The GPU has too little memory for this fine-tune."),
                    _(
                        "Use a smaller batch size ({batch} now) with more accumulation, shorter crops "
                        "({seconds} s now), or a smaller model."
                    ).format(batch=self.spec.batch_size, seconds=self.spec.crop_seconds),
                ) from error
            last = self.step == self.spec.steps
            if (
                self.held_out
                and self.spec.validate_every
                and (last or _due(self.step, self.spec.validate_every))
            ):
                yield self._validate()
            if not last and _due(self.step, self.spec.checkpoint_every):
                yield self._save()

        yield self._save()
        yield {"event": "end", "state": state, "model": self._export(), **self._place()}

    # Before the first step

    def _prepare(self) -> Iterator[Event]:
        spec, library = self.spec, self.library
        if spec.model == BUILT_IN and not is_model(library.paths.models / BUILT_IN):
            yield {"event": "preparing", "what": "model"}
            make_small_model(library, CODEC_SECONDS, spec.seed, lambda _event: None)
        yield {"event": "preparing", "what": "tokens"}
        examples = self._examples()
        contents = {example.content for group in examples for example in group}
        tracks = [track for track in tracks_with_audio(library) if track.content in contents]
        cache, summary = encode_library(library, spec.model, spec.device, lambda _done, _total: None, tracks)
        for path, reason in summary["failed"]:
            yield self._warning(_("{path} was left out: {reason}").format(path=path, reason=reason))
        learnt, held = ([example for example in group if example.content in cache] for group in examples)
        if not learnt:
            raise nothing_to_learn()
        self.learnt, self.held = learnt, held
        self.seconds_of_music = summary["seconds"]

        source = model_folder(spec.model, library.paths)
        self.lm = loading.load_lm(spec.model, source, self.device, torch.float32)
        self.lm.train()
        frame_rate = summary["frame_rate"]
        longest = loading.span_of(self.lm)
        fresh = source is not None and read_card(source).get("trained") is False
        if spec.crop_seconds > longest and not fresh:
            yield self._warning(
                _("Crops are cut to {seconds:g} s, the longest that {model} knows.").format(
                    seconds=longest, model=spec.model
                )
            )
        self.crop_seconds = spec.crop_seconds if fresh else min(spec.crop_seconds, longest)
        self.peak = spec.learning_rate or suitable_learning_rate(loading.parameters_of(self.lm), fresh)
        common: dict[str, Any] = {
            "frames": int(self.crop_seconds * frame_rate),
            "padding": self.lm.special_token_id,
            "condition_dropout": spec.condition_dropout,
            "seed": spec.seed,
        }
        self.crops = Crops(library.root, learnt, cache, **common)
        self.held_out: list[Batch] = []
        if held:
            self.held_out = Crops(library.root, held, cache, **common).held_out(spec.batch_size)
        elif spec.validate_every:
            yield self._warning(
                _("There are too few tracks to hold one out; the loss is of learnt music only.")
            )
        if any(name == "self_wav" for name in self.lm.condition_provider.conditioners):
            yield self._warning(
                _("This melody model is fine-tuned on captions only; its melodies stay as they are.")
            )
        self.optimizer = make_optimizer(self.lm, spec.weight_decay, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.number == torch.float16)
        torch.manual_seed(spec.seed)

    def _examples(self) -> tuple[list[Example], list[Example]]:
        """The same tracks in each process of a run: chosen once and written down."""
        path = self.folder / DATA_NAME
        if path.exists():
            rows = json.loads(path.read_text("utf-8"))
            return examples_from(rows["learnt"]), examples_from(rows["held_out"])
        learnt, held = split(choose_examples(self.library, self.spec.genres), self.spec.seed)
        write_json(
            path,
            {
                "learnt": [asdict(example) for example in learnt],
                "held_out": [asdict(example) for example in held],
            },
        )
        return learnt, held

    def _resume(self) -> None:
        found = checkpoint.load_newest(self.folder / "checkpoints", self.device)
        if found is None:
            return
        state, _manifest = found
        self.lm.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]
        self.losses, self.validations = state["losses"], state["validations"]
        torch.set_rng_state(state["rng"].cpu())
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"].cpu(), self.device)

    # One step

    def _train_step(self) -> Event:
        spec = self.spec
        began = time.monotonic()
        rate = learning_rate(self.step, spec.steps, spec.warmup_steps, self.peak)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batches = self.crops.batches(self.step, spec.accumulation, spec.batch_size)
        total, each, targets = 0.0, torch.zeros(self.lm.num_codebooks, device=self.device), 0
        for batch in batches:
            sums, counts = self._forward(batch)
            loss, codebooks = mean_loss(sums, counts)
            scaled: Tensor = self.scaler.scale(loss / len(batches))
            scaled.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach()) / len(batches)
            each += codebooks.detach() / len(batches)
            targets += int(counts.sum())
        self.scaler.unscale_(self.optimizer)
        limit = spec.gradient_clip or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self.lm.parameters(), limit))
        self.step += 1
        if not math.isfinite(total) or (not math.isfinite(norm) and not self.scaler.is_enabled()):
            self.optimizer.zero_grad(set_to_none=True)
            return self._bad_step(total)
        self.bad_steps = 0
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.append([self.step, total])
        seconds = time.monotonic() - began
        return {
            "event": "step",
            **self._place(),
            "loss": total,
            "losses": each.tolist(),
            "gradient_norm": norm,
            "learning_rate": rate,
            "tokens_per_second": targets / seconds,
            "memory_bytes": self._memory(),
            "seconds": seconds,
        }

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        tokens = torch.from_numpy(batch.tokens).to(self.device)
        read, targets = pattern_sequence(self.lm, tokens)
        half = self.number != torch.float32
        with torch.autocast(self.device.type, dtype=self.number) if half else nullcontext():
            conditions = condition_tensors(self.lm, batch.captions)
            logits = self.lm(read, conditions=[], condition_tensors=conditions)
        return cross_entropies(logits, targets, self.lm.special_token_id)

    def _bad_step(self, loss: float) -> Event:
        self.bad_steps += 1
        if self.bad_steps >= MOST_BAD_STEPS:
            raise MusicHelperError(
                _("The loss is not a number any more, {count} steps in a row.").format(count=self.bad_steps),
                _(
                    "Start again with a lower learning rate ({rate:g} now) or with the precision float32; "
                    "the last checkpoint is good."
                ).format(rate=self.peak),
            )
        return self._warning(_("Step {step} gave no finite loss and was left out.").format(step=self.step))

    @torch.no_grad()
    def _validate(self) -> Event:
        self.lm.eval()
        sums = torch.zeros(self.lm.num_codebooks, device=self.device)
        counts = torch.zeros_like(sums)
        for batch in self.held_out:
            some, number = self._forward(batch)
            sums, counts = sums + some, counts + number
        self.lm.train()
        loss, each = mean_loss(sums, counts)
        self.validations.append([self.step, float(loss)])
        return {"event": "validation", **self._place(), "loss": float(loss), "losses": each.tolist()}

    # Control, checkpoints, the end

    def _wait(self) -> str | None:
        """Until the pause is over; says "stop" or nothing."""
        while (word := self.control()) in ("pause", "save"):
            time.sleep(PAUSE_SECONDS)
        return word

    def _save(self) -> Event:
        state = {
            "model": self.lm.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "losses": self.losses,
            "validations": self.validations,
            "rng": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        try:
            path = checkpoint.save(
                self.folder / "checkpoints",
                self.step,
                state,
                {"spec": self.spec.as_dict(), "torch": torch.__version__},
            )
        except OSError as error:
            return self._warning(
                _("No checkpoint could be written: {reason}. Free some space; training goes on.").format(
                    reason=error.strerror or error
                )
            )
        return {"event": "checkpoint", **self._place(), "path": os.fsdecode(path)}

    def _export(self) -> str:
        from omegaconf import OmegaConf

        spec, library = self.spec, self.library
        source = model_folder(spec.model, library.paths)
        config = OmegaConf.create(OmegaConf.to_container(self.lm.cfg))
        config.device, config.dtype = "cpu", "float32"
        if source is not None and read_card(source).get("trained") is False:
            config.musichelper.span = self.crop_seconds
        # The hub's models are kept in half precision, as their makers publish them.
        number = torch.float16 if source is None else torch.float32
        name = free_name(library.paths.models, spec.name, self.folder.name)
        write_model(
            library.paths.models / name,
            lm_state={key: value.detach().to("cpu", number) for key, value in self.lm.state_dict().items()},
            lm_config=OmegaConf.to_yaml(config),
            codec=codec_package(source, spec.model),
            card={
                "kind": "fine-tuned",
                "base": spec.model,
                "run": self.folder.name,
                "licence": licence_of(spec.model, library.paths),
                "parameters": loading.parameters_of(self.lm),
                "data": {
                    "tracks": len(self.learnt),
                    "held_out": len(self.held),
                    "seconds": self.seconds_of_music,
                    "genres": sorted({example.genre for example in self.learnt if example.genre}),
                },
                "settings": {**spec.as_dict(), "learning_rate": self.peak, "crop_seconds": self.crop_seconds},
                "losses": {
                    "first": self.losses[0][1] if self.losses else None,
                    "last": self.losses[-1][1] if self.losses else None,
                    "validation": self.validations,
                },
                "steps": self.step,
            },
        )
        return name

    # Events

    def _place(self) -> Event:
        return {"step": self.step, "steps": self.spec.steps}

    def _warning(self, text: str) -> Event:
        return {"event": "warning", **self._place(), "text": text}

    def _start_event(self) -> Event:
        return {
            "event": "start",
            **self._place(),
            "base": self.spec.model,
            "parameters": loading.parameters_of(self.lm),
            "tracks": len(self.learnt),
            "held_out": len(self.held),
            "seconds_of_music": self.seconds_of_music,
            "crop_seconds": self.crop_seconds,
            "peak_learning_rate": self.peak,
            "device": str(self.device),
            "precision": str(self.number).removeprefix("torch."),
        }

    def _memory(self) -> int:
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def suitable_learning_rate(parameters: int, fresh: bool) -> float:
    """A peak that suits the model: high for weights that know nothing yet, low for large trained ones."""
    if fresh:
        return 3e-3
    if parameters < 50_000_000:
        return 3e-4
    return 1e-5 if parameters < 2_500_000_000 else 5e-6


def learning_rate(step: int, steps: int, warmup: int, peak: float) -> float:
    """Linear warm-up, then half a cosine down to a tenth."""
    warmup = min(warmup, steps // 2)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1, steps - warmup)
    return peak * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * 0.5 * (1 + math.cos(math.pi * share)))


def make_optimizer(
    model: torch.nn.Module, weight_decay: float, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW; weights that are matrices decay, gains and biases do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ],
        lr=0.0,
        betas=(0.9, 0.95),
        fused=device.type == "cuda",
    )


def _settings(folder: Path) -> Settings:
    """The settings that the run was started with, or the person's present ones."""
    path = folder / SETTINGS_NAME
    return msgspec.json.decode(path.read_bytes(), type=Settings) if path.exists() else load_settings()


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
