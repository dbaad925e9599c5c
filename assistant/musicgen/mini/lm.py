"""Training of `mini`'s language model on the tokens of composed pieces and their captions."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assistant.files import whole_file
from assistant.musicgen.blueprint import FRAME_RATE
from assistant.musicgen.conditions import Conditions
from assistant.musicgen.forward import hidden_states
from assistant.musicgen.loading import use_word_tokenizer
from assistant.musicgen.loss import count_targets, delayed, delays_of, head_losses, scales_of
from assistant.musicgen.mini.captions import caption
from assistant.musicgen.mini.pace import LONGEST_STEP, SAVE_SECONDS
from assistant.musicgen.mini.shape import SPAN_SECONDS, lm_config
from assistant.musicgen.mini.tokens import Piece, read_tokens, tokens_folder
from assistant.musicgen.optimizer import MovingAverage

LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.05
CAPTION_DROPOUT = 0.12
"""Crops that are learnt without their caption, so that guidance has something to compare with."""
WARMUP = 40
EMA_DECAY = 0.98


@dataclass(frozen=True)
class LmPlan:
    """How long the language model learns, and on what."""

    minutes: float = 45.0
    """Of wall time, over all sittings."""
    batch: int = 4
    device: str = "cpu"
    seed: int = 0


class LmTraining:
    """The language model with all that its training needs; a new one goes on where the last was saved."""

    def __init__(self, plan: LmPlan, work: Path) -> None:
        self.plan, self.path = plan, tokens_folder(work) / "lm.pt"
        self.device = torch.device(plan.device)
        torch.manual_seed(plan.seed)
        self.lm = build_lm(self.device)
        self.delays = delays_of(self.lm)
        self.special = self.lm.special_token_id
        self.parameters = dict(self.lm.named_parameters())
        self.optimizers = make_optimizers(self.lm)
        self.average = MovingAverage(self.parameters, EMA_DECAY)
        self.conditions = Conditions(self.lm)
        self.spent, self.steps = 0.0, 0
        if self.path.exists():
            self._restore()
        self.work, self.valid = work, read_tokens(work, "valid")
        self.frames = round(SPAN_SECONDS * FRAME_RATE)
        self.chance = random.Random(plan.seed + self.steps)
        self.chooser = np.random.default_rng(plan.seed + self.steps)
        self._left: list[Piece] = []

    def run(self, tell: Callable[[dict[str, Any]], None]) -> None:
        """Train until the plan's time is spent; the state is saved every minute and at the end."""
        total = self.plan.minutes * 60
        saved = told = time.monotonic()
        losses: list[float] = []
        while self.spent < total:
            began = time.monotonic()
            losses.append(self._step(self.spent / total))
            now = time.monotonic()
            self.spent += min(now - began, LONGEST_STEP)
            if now - told > 20:
                told = now
                tell({"seconds": round(self.spent), "step": self.steps, "loss": float(np.mean(losses))})
                losses = []
            if now - saved > SAVE_SECONDS:
                self._save()
                saved = time.monotonic()
        self._save()
        tell({"step": self.steps, "held out": self.held_out()})

    def _step(self, share: float) -> float:
        rate = min(1.0, (self.steps + 1) / WARMUP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * rate
        chosen = [self._next() for _place in range(self.plan.batch)]
        captions = [
            None if self.chance.random() < CAPTION_DROPOUT else caption(piece.made, self.chance)
            for piece in chosen
        ]
        codes = self._batch([piece.crop(self.frames, self.chooser) for piece in chosen])
        loss, _sums, _counts = self._losses(codes, captions)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.lm.parameters(), 1.0)
        if torch.isfinite(norm):
            for optimizer in self.optimizers:
                optimizer.step()
        self.steps += 1
        self.average.update(self.steps)
        return float(loss.detach())

    def _losses(self, codes: Tensor, captions: list[str | None]) -> tuple[Tensor, Tensor, Tensor]:
        read, targets = delayed(codes, self.delays, self.special)
        counts = count_targets(codes, self.delays, self.special)
        with torch.autocast(self.device.type, torch.bfloat16):
            conditions, mask = self.conditions.tensors(captions)
            hidden = hidden_states(self.lm, read, conditions, mask=mask)
        loss, sums = head_losses(self.lm, hidden.float(), targets, scales_of(counts), torch.bfloat16)
        return loss, sums, counts

    def _next(self) -> Piece:
        if not self._left:
            self._left = read_tokens(self.work, "train")  # again each time: there may be more by now
            self.chance.shuffle(self._left)
        return self._left.pop()

    def _batch(self, crops: list[NDArray[np.int16]]) -> Tensor:
        return torch.from_numpy(np.stack(crops).astype(np.int64)).to(self.device)

    def held_out(self) -> list[float]:
        """The loss of each codebook in nats on held-out crops, with their captions, by the average."""
        total = np.zeros(len(self.delays))
        count = np.zeros(len(self.delays))
        chance = random.Random(0)
        with torch.no_grad(), self.average.in_place():
            for first in range(0, len(self.valid), self.plan.batch):
                chosen = self.valid[first : first + self.plan.batch]
                codes = self._batch([piece.codes[:, : self.frames] for piece in chosen])
                captions: list[str | None] = [caption(piece.made, chance) for piece in chosen]
                _loss, sums, counts = self._losses(codes, captions)
                total += sums.cpu().numpy()
                count += counts.cpu().numpy()
        return [round(float(value), 3) for value in total / count]

    def _save(self) -> None:
        state = {
            "model": self.lm.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average.values,
            "taken": self.average.taken,
            "spent": self.spent,
            "steps": self.steps,
        }
        with whole_file(self.path) as temporary:
            torch.save(state, temporary)

    def _restore(self) -> None:
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        self.lm.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.average.load(state["average"], state["taken"])
        self.spent, self.steps = state["spent"], state["steps"]


def build_lm(device: torch.device) -> Any:
    """audiocraft's LMModel of mini's shape, with first weights and the tokenizer of words."""
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    config = OmegaConf.create(lm_config())
    config.device = str(device)
    lm: Any = builders.get_lm_model(config)
    lm.cfg = config
    use_word_tokenizer(lm)
    return lm


def make_optimizers(lm: Any) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers (Jordan et al. 2024; updates as large as AdamW's, Liu et al. 2025,
    arXiv:2502.16982), AdamW for embeddings, heads, gains and biases."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in lm.named_parameters():
        (matrices if parameter.dim() == 2 and name.startswith("transformer.") else others).append(parameter)
    return [
        torch.optim.Muon(
            matrices, lr=0.0, weight_decay=WEIGHT_DECAY, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]
