"""Clips during a fine-tune: the same prompts and seeds each time, beside those of the base."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from assistant.audio.write import write_audio
from assistant.musicgen import backend, loading
from assistant.musicgen.learner import Learner

MOST_PROMPTS = 3
BASE = "base"
_GUIDANCE = 3.0
_TOP_K = 250


class Sampler:
    """Makes the samples of a run; what the model is before its first update are those of the base."""

    def __init__(
        self, name: str, source: Path | None, folder: Path, prompts: Sequence[str], seconds: float, seed: int
    ) -> None:
        self._name, self._source, self._folder = name, source, folder / "samples"
        self._prompts, self._seconds, self._seed = list(prompts)[:MOST_PROMPTS], seconds, seed
        self._codec: Any = None

    def sample(self, learner: Learner, step: int) -> Iterator[dict[str, Any]]:
        """Write a clip for each prompt and yield its event; leaves the random states as they were."""
        from audiocraft.models.musicgen import MusicGen
        from audiocraft.utils.autocast import TorchAutocast

        if self._codec is None:
            self._codec = loading.load_codec(self._name, self._source, learner.device)
        place = self._folder / (f"step-{step:08d}" if step else BASE)
        place.mkdir(parents=True, exist_ok=True)
        cards = [learner.device] if learner.device.type == "cuda" else []
        with torch.random.fork_rng(cards), learner.ready_to_generate() as lm:
            model = MusicGen(self._name, self._codec, lm, max_duration=loading.LONGEST_SPAN)
            seconds = min(self._seconds, loading.span_of(lm))
            if learner.number != torch.float32:
                model.autocast = TorchAutocast(True, device_type=learner.device.type, dtype=learner.number)
            else:
                model.autocast = TorchAutocast(enabled=False)
            model.set_generation_params(duration=seconds, top_k=min(_TOP_K, lm.card), cfg_coef=_GUIDANCE)
            small = learner.device.type == "cpu"
            for number, prompt in enumerate(self._prompts):
                torch.manual_seed(self._seed + number)
                with backend.threads(1) if small else backend.threads(torch.get_num_threads()):
                    audio = model.generate([prompt])[0].float().cpu().numpy()
                path = place / f"{number}.wav"
                write_audio(path, audio, model.sample_rate, loudness=-14.0, comment=prompt)
                yield {
                    "event": "sample",
                    "step": step,
                    "path": os.fsdecode(path),
                    "base": os.fsdecode(self._folder / BASE / path.name),
                    "prompt": prompt,
                    "seed": self._seed + number,
                }
