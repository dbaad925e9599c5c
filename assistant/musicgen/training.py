"""The fine-tune: one loop, readable from top to bottom. Imported only in a run's own process."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import torch

from assistant.config import Settings, load_settings
from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen import backend, checkpoint
from assistant.musicgen.distributed import World, joined
from assistant.musicgen.finish import export_finetuned
from assistant.musicgen.learner import Losses
from assistant.musicgen.optimizer import learning_rate
from assistant.musicgen.preparing import Event, Prepared, describe, prepare
from assistant.musicgen.progress import Progress, load, load_best, save
from assistant.musicgen.samples import MOST_PROMPTS, Sampler
from assistant.musicgen.spec import FinetuneSpec
from assistant.musicgen.trouble import MOST_RESCUES, has_spiked

Control = Callable[[], str | None]

SETTINGS_NAME = "settings.json"
PAUSE_SECONDS = 0.2


def finetune(spec: FinetuneSpec, library_root: Path, folder: Path, control: Control) -> Iterator[Event]:
    """Fine-tune a model on the library's tracks and export it; yields what happens.

    Goes on by itself from the newest checkpoint in `folder/checkpoints`, exactly as if it had never
    stopped. `control()` is asked once a step: "save" (told once), "pause" (as long as it shall
    last), "stop" or None.
    Events: "preparing", "start", "step", "validation", "checkpoint", "sample", "warning", "rollback",
    "paused", and last "end" with the state (done or stopped) and the name of the exported model.
    """
    spec.check()
    backend.prepare()
    backend.keep_freed_memory()
    with (
        Library(library_root, _settings(folder)) as library,
        joined(backend.choose_device(spec.device)) as world,
    ):
        torch.set_num_threads(max(1, backend.usable_threads() // world.size))
        spec, prepared = replace(spec, processes=world.size), None
        for told in prepare(spec, library, folder, world):
            if isinstance(told, Prepared):
                prepared = told
            else:
                yield told
        assert prepared is not None
        yield from _Finetune(spec, library, folder, control, prepared, world).run()


class _Finetune:
    """The state of one fine-tune."""

    def __init__(
        self,
        spec: FinetuneSpec,
        library: Library,
        folder: Path,
        control: Control,
        prepared: Prepared,
        world: World,
    ) -> None:
        self.spec, self.library, self.folder, self.world = spec, library, folder, world
        self.control, self.prepared, self.learner = control, prepared, prepared.learner
        self.checkpoints = folder / "checkpoints"
        self.progress = Progress()
        self.rescues = 0
        self.crops = max(world.size, spec.batch_size * spec.accumulation)
        if prepared.plan.sharded:  # each pass needs all processes
            self.crops = -(-self.crops // world.size) * world.size
        self.sampler = Sampler(spec, library.paths, folder, prepared, self._prompts())

    def run(self) -> Iterator[Event]:
        """Everything from the first step to the exported model."""
        for text in self.prepared.warnings:
            yield self._warning(text)
        yield from self._resume()
        yield {
            "event": "start",
            **self._place(),
            **describe(self.spec, self.prepared),
            "processes": self.world.size,
        }
        if self.progress.step == 0 and self.spec.validate_every:
            yield from self._look()
        if self.progress.step == 0 and self.spec.sample_every and self.world.leads:
            yield from self._sample()

        state = "done"
        while self.progress.step < self.spec.steps:
            word = self.world.agree(self.control())
            if word == "pause":
                yield self._save()
                yield {"event": "paused", **self._place()}
                word = self.world.agree(self._wait())
            if word == "stop":
                state = "stopped"
                break
            if word == "save":
                yield self._save()

            if not (yield from self._step()):
                continue  # gone back: what was due there has been done
            if self._due(self.spec.validate_every):
                yield from self._look()
            if self._due(self.spec.sample_every) and self.world.leads:
                yield from self._sample()
            if self._due(self.spec.checkpoint_every, last=False):
                yield self._save()
            if self.spec.patience and self.progress.stale >= self.spec.patience:
                yield self._warning(
                    _("The held-out loss has not fallen for {count} looks; the run ends here.").format(
                        count=self.progress.stale
                    )
                )
                break

        yield self._save()
        yield {"event": "end", "state": state, "model": self._export(), **self._place()}

    # One step

    def _step(self) -> Generator[Event, None, bool]:
        """One update; says whether the run went on, rather than back."""
        progress, spec = self.progress, self.spec
        began = time.monotonic()
        rate = progress.rate_scale * learning_rate(
            progress.step, spec.steps, spec.warmup_steps, self.prepared.peak
        )
        batch = self.prepared.crops.batch(progress.step, self.crops, progress.attempt)
        while True:
            try:
                update = self.learner.update(batch, rate, progress.step + 1)
                break
            except torch.OutOfMemoryError as error:
                if not self.learner.smaller():
                    raise self._no_memory() from error
                yield self._warning(
                    _("The memory was not enough: from here {batch} crops at once, and more passes.").format(
                        batch=self.learner.micro
                    )
                )
        if not update.finite:
            yield self._roll_back(
                _("Step {step} gave a loss or a gradient that is no number.").format(step=progress.step + 1)
            )
            return False
        progress.step += 1
        progress.losses.append([progress.step, update.losses.mean])
        if has_spiked([loss for _step, loss in progress.losses[-64:]]):
            progress.rate_scale /= 2
            yield self._roll_back(
                _("The loss has jumped to {loss:.2f} by step {step}; the learning rate is halved.").format(
                    loss=update.losses.mean, step=progress.step
                ),
            )
            return False
        seconds = time.monotonic() - began
        yield {
            "event": "step",
            **self._place(),
            **_told(update.losses),
            "gradient_norm": update.gradient_norm,
            "learning_rate": rate,
            "tokens_per_second": update.losses.targets / seconds,
            "clips_per_second": len(batch) / seconds,
            "memory_bytes": self._memory(),
            "seconds": seconds,
        }
        return True

    def _roll_back(self, reason: str) -> Event:
        """Go back to the newest checkpoint, or to the start, and on with other crops."""
        attempt, scale, step = self.progress.attempt + 1, self.progress.rate_scale, self.progress.step
        self.rescues += 1
        if self.rescues > MOST_RESCUES:
            raise MusicHelperError(
                _("The fine-tune went wrong {count} times in a row.").format(count=self.rescues),
                _(
                    "Start again with a lower learning rate ({rate:g} now) or with the precision float32; "
                    "the last checkpoint is good."
                ).format(rate=self.prepared.peak),
            )
        found = load(self.checkpoints, self.learner)
        if found is None:
            self._begin_anew()
        else:
            self.progress = found
        self.progress.attempt, self.progress.rate_scale = attempt, scale
        text = _("{reason} The run went back to step {step} and goes on with other crops.").format(
            reason=reason, step=self.progress.step
        )
        return {"event": "rollback", "from": step, **self._place(), "text": text}

    # Looking at held-out music

    def _look(self) -> Iterator[Event]:
        progress, held_out = self.progress, self.prepared.held_out
        if held_out is None:
            return
        losses = self.learner.evaluate(held_out)
        best = progress.looked(losses.mean, losses.each)
        yield {"event": "validation", **self._place(), **_told(losses)}
        if not best:
            return
        weights = self.learner.average_weights() or self.learner.weights()
        if self.world.leads:
            try:
                checkpoint.save_best(self.checkpoints, progress.step, weights)
            except OSError as error:
                yield self._not_saved(error)

    def _sample(self) -> Iterator[Event]:
        if self.prepared.plan.sharded:
            if self.progress.step == 0:
                yield self._warning(_("No samples are made while the weights are shared out."))
            return
        try:
            for event in self.sampler.sample(self.learner, self.progress.step):
                yield {**self._place(), **event}
        except (OSError, torch.OutOfMemoryError) as error:
            yield self._warning(
                _("No samples could be made: {reason}.").format(reason=str(error).splitlines()[0])
            )

    def _prompts(self) -> list[str]:
        """The configured prompts, or the captions of music that is not learnt, or of music that is."""
        held = self.prepared.held_out
        captions = held.captions if held is not None else self.prepared.crops.captions(MOST_PROMPTS)
        return (
            list(self.spec.sample_prompts) or list(dict.fromkeys(text for text in captions if text)) or [""]
        )

    # Checkpoints

    def _resume(self) -> Iterator[Event]:
        damaged: list[Path] = []
        self.progress = load(self.checkpoints, self.learner, damaged.append) or Progress()
        for path in damaged:
            yield self._warning(
                _("The checkpoint {name} is damaged and was passed over.").format(name=path.name)
            )

    def _begin_anew(self) -> None:
        del self.learner, self.prepared  # before the next one is loaded: two may not fit
        for told in prepare(self.spec, self.library, self.folder, self.world):
            if isinstance(told, Prepared):
                self.prepared, self.learner = told, told.learner
        self.progress = Progress()

    def _save(self) -> Event:
        notes = {"spec": self.spec.as_dict(), "torch": torch.__version__}
        try:
            path = save(self.checkpoints, self.learner, self.progress, notes, self.world.leads)
        except OSError as error:
            return self._not_saved(error)
        self.rescues = 0
        return {"event": "checkpoint", **self._place(), "path": os.fsdecode(path or self.checkpoints)}

    def _wait(self) -> str | None:
        """Until the pause is over; says "stop" or nothing."""
        while (word := self.control()) in ("pause", "save"):
            time.sleep(PAUSE_SECONDS)
        return word

    # The end

    def _export(self) -> str | None:
        if not self.world.leads and not self.prepared.plan.sharded:
            return None
        parts = self.spec, self.library, self.folder, self.prepared, self.progress
        if load_best(self.checkpoints, self.learner, self.progress):
            assert self.progress.best_step is not None
            return export_finetuned(*parts, self.progress.best_step, self.world.leads)
        with self.learner.best_known():
            return export_finetuned(*parts, self.progress.step, self.world.leads)

    # Events

    def _due(self, every: int, *, last: bool = True) -> bool:
        step = self.progress.step
        if step == self.spec.steps:
            return last and every > 0
        return step > 0 and every > 0 and step % every == 0

    def _place(self) -> Event:
        return {"step": self.progress.step, "steps": self.spec.steps}

    def _warning(self, text: str) -> Event:
        return {"event": "warning", **self._place(), "text": text}

    def _not_saved(self, error: OSError) -> Event:
        return self._warning(
            _("No checkpoint could be written: {reason}. Free some space; training goes on.").format(
                reason=error.strerror or error
            )
        )

    def _no_memory(self) -> MusicHelperError:
        return MusicHelperError(
            _("The GPU has too little memory for this fine-tune."),
            _(
                "Use adapters (method lora), shorter crops ({seconds:g} s now), or a smaller model; or close "
                "what else uses the GPU."
            ).format(seconds=self.prepared.crop_seconds),
        )

    def _memory(self) -> int:
        if self.prepared.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.prepared.device))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _told(losses: Losses) -> Event:
    return {"loss": losses.mean, "losses": losses.each}


def _settings(folder: Path) -> Settings:
    """The settings that the run was started with, or the person's present ones."""
    path = folder / SETTINGS_NAME
    return msgspec.json.decode(path.read_bytes(), type=Settings) if path.exists() else load_settings()
