"""Clips during a fine-tune: the same prompts and seeds each time, beside those of the base."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from assistant.audio.write import write_audio
from assistant.library.library import LibraryPaths
from assistant.musicgen import backend, loading
from assistant.musicgen.clip_sounds import Sound, batches, clip_sounds
from assistant.musicgen.identity import model_hashes
from assistant.musicgen.learner import Learner
from assistant.musicgen.preparing import Prepared
from assistant.musicgen.recipe import as_comment, new_recipe, program_name
from assistant.musicgen.spec import FinetuneSpec, GenerateSpec

MOST_PROMPTS = 3
BASE = "base"


class Sampler:
    """Makes the samples of a run; what the model is before its first update are those of the base.

    Each is the clip that `generate` makes with the model as it is then, with the same prompt and seed and
    all other settings as they are by default.
    """

    def __init__(
        self,
        spec: FinetuneSpec,
        paths: LibraryPaths,
        folder: Path,
        prepared: Prepared,
        prompts: Sequence[str],
    ) -> None:
        self._base, self._source, self._paths, self._run = spec.model, prepared.source, paths, folder
        self._clips = GenerateSpec(
            prompts=tuple(prompts)[:MOST_PROMPTS],
            model=spec.name,
            duration=spec.sample_seconds,
            seed=spec.seed,
            device=spec.device,
        )
        self._codec: Any = None

    def sample(self, learner: Learner, step: int) -> Iterator[dict[str, Any]]:
        """Write a clip for each prompt and yield its event; leaves the random states as they were."""
        samples = self._run / "samples"
        place = samples / (f"step-{step:08d}" if step else BASE)
        place.mkdir(parents=True, exist_ok=True)
        for number, (recipe, sound) in enumerate(self._made(learner, step)):
            path = place / f"{number}.wav"
            write_audio(
                path,
                sound,
                recipe["sample_rate"],
                loudness=self._clips.loudness,
                ceiling=self._clips.true_peak,
                comment=as_comment(recipe),
                title=recipe["prompt"],
                program=program_name(),
            )
            yield {
                "event": "sample",
                "step": step,
                "path": os.fsdecode(path),
                "base": os.fsdecode(samples / BASE / path.name),
                "prompt": recipe["prompt"],
                "seed": recipe["seed"],
            }

    def _made(self, learner: Learner, step: int) -> list[tuple[dict[str, Any], Sound]]:
        """Recipe and sound of each clip."""
        from assistant.musicgen.engine.engine import Engine

        spec, made = self._clips, []
        hashes, facts = {}, {"run": self._run.name, "step": step}
        if not step:
            spec, hashes = replace(spec, model=self._base), model_hashes(self._base, self._paths)
        assert spec.seed is not None
        precision = backend.choose_clip_precision(spec.precision, learner.device)
        cards = [learner.device] if learner.device.type == "cuda" else []
        with torch.random.fork_rng(cards), learner.ready_to_generate() as lm:
            if self._codec is None:
                self._codec = loading.load_folded_codec(self._base, self._source, learner.device, lm)
            engine = Engine(spec.model, lm, self._codec, span=loading.span_of(lm), precision=precision)
            for batch in batches(spec, mixed=engine.mixes_prompts):
                for (number, prompt), sound in zip(batch, clip_sounds(engine, spec, batch), strict=True):
                    one = spec.of_one(prompt, spec.seed + number)
                    recipe = new_recipe(
                        one,
                        hashes=hashes,
                        inputs={},
                        computed_on=backend.computed_on(spec.device, spec.precision),
                        sample_rate=engine.rate,
                        **facts,
                    )
                    made.append((recipe, sound))
        return made
