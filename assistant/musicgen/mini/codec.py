"""Training of `mini`'s codec: autoencoder, then codebooks and encoder, then the decoder alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assistant.files import whole_file
from assistant.musicgen.blueprint import FRAME_RATE, SAMPLE_RATE
from assistant.musicgen.kmeans import kmeans
from assistant.musicgen.mini.data import shards
from assistant.musicgen.mini.losses import Distance
from assistant.musicgen.mini.pace import LONGEST_STEP, SAVE_SECONDS
from assistant.musicgen.mini.shape import codec_config

CODEC_STATE, FROZEN_CODEC = "codec.pt", "codec-frozen.pt"
LEARNING_RATE = 1e-3
FREE_SHARE = 0.3
"""The part of the time in which encoder and decoder learn together, with noise in the place of the
quantizer; k-means then fits the codebooks to the latents, and all go on together."""
FROZEN_SHARE = 0.7
"""From here on the encoder and the codebooks stay, so that tokens can be made while the decoder goes on."""
NOISE = 0.1
"""Of the latent's own standard deviation in each channel."""
COMMITMENT = 0.25
"""Weight of the distance between a latent and its code (van den Oord et al. 2017, arXiv:1711.00937)."""
GRADIENT_CLIP = 10.0
LATENTS_FOR_CODEBOOKS = 16_384
USUAL_LEVEL = 0.12
"""The usual standard deviation of the pieces."""
GAIN = math.sqrt(2 / (1 + 0.2**2))
"""What keeps the variance through a leaky ReLU of slope 0.2 (He et al. 2015, arXiv:1502.01852)."""
BRANCH = 0.5
"""What a residual block adds at first, beside its input."""


@dataclass(frozen=True)
class CodecPlan:
    """How long the codec learns, and on what."""

    minutes: float = 30.0
    """Of wall time, over all sittings."""
    batch: int = 4
    crop_seconds: float = 0.96
    device: str = "cpu"
    seed: int = 0


class CodecTraining:
    """The codec with all that its training needs; `state()` of one goes on in another."""

    def __init__(self, plan: CodecPlan, work: Path) -> None:
        self.plan, self.work = plan, work
        self.path = work / CODEC_STATE
        self.device = torch.device(plan.device)
        torch.manual_seed(plan.seed)
        self.model = build_codec(self.device)
        keep_variance(self.model)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=LEARNING_RATE, betas=(0.8, 0.99), weight_decay=0.0
        )
        self.distance = Distance(SAMPLE_RATE, self.device)
        self.spent, self.steps, self.fitted, self.frozen = 0.0, 0, False, False
        if self.path.exists():
            self._restore()
        self.crops = _Crops(work, round(plan.crop_seconds * SAMPLE_RATE), plan.seed + self.steps)

    def run(self, tell: Callable[[dict[str, float]], None]) -> None:
        """Train until the plan's time is spent; the state is saved every minute and at the end."""
        total = self.plan.minutes * 60
        saved = told = time.monotonic()
        while self.spent < total:
            began = time.monotonic()
            share = self.spent / total
            if not self.fitted and share >= FREE_SHARE:
                self._fit_codebooks()
            if not self.frozen and share >= FROZEN_SHARE:
                self._freeze()
            losses = self._step(share)
            now = time.monotonic()
            self.spent += min(now - began, LONGEST_STEP)
            if now - told > 10:
                told = now
                tell({"seconds": round(self.spent), "step": self.steps, **losses})
            if now - saved > SAVE_SECONDS:
                self._save()
                saved = time.monotonic()
        if not self.frozen:
            self._freeze()
        self._save()

    def _step(self, share: float) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (self.steps + 1) / 50) * _cosine(share)
        audio = self.crops.draw(self.plan.batch).to(self.device)
        model = self.model
        commitment = audio.new_zeros(())
        with torch.autocast(self.device.type, torch.bfloat16):
            if self.frozen:
                with torch.no_grad():
                    codes = model.quantizer.encode(model.encoder(audio[:, None]).float())
                    latent = model.quantizer.decode(codes)
            else:
                latent = model.encoder(audio[:, None]).float()
                if self.fitted:
                    latent, commitment = _through(model.quantizer, latent)
                else:
                    spread = latent.detach().std(dim=(0, 2), keepdim=True)
                    latent = latent + NOISE * spread * torch.randn_like(latent)
            decoded = model.decoder(latent)[:, 0, : audio.shape[1]].float()
        spectral, waveform = self.distance(decoded, audio)
        loss = spectral + 0.5 * waveform + COMMITMENT * commitment
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_CLIP)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.steps += 1
        return {
            "spectral": round(float(spectral.detach()), 4),
            "waveform": round(float(waveform.detach()), 4),
            "commitment": round(float(commitment.detach()), 4),
        }

    def _fit_codebooks(self) -> None:
        """K-means of each quantizer's residual on many latents of the network as it is now."""
        pieces, count = [], 0
        with torch.no_grad():
            while count < LATENTS_FOR_CODEBOOKS:
                audio = self.crops.draw(self.plan.batch).to(self.device)
                pieces.append(self.model.encoder(audio[:, None]).transpose(1, 2).flatten(0, 1))
                count += len(pieces[-1])
            residual = torch.cat(pieces)
            for layer in self.model.quantizer.vq.layers:
                book = layer._codebook
                centres, sizes = kmeans(residual.cpu(), book.codebook_size, iterations=8, seed=self.plan.seed)
                book.embed.copy_(centres)
                # The moving averages start as if they had seen batches of this mixture.
                sizes = sizes / sizes.sum() * self.plan.batch * self.crops.length / SAMPLE_RATE * FRAME_RATE
                book.cluster_size.copy_(sizes)
                book.embed_avg.copy_(centres * sizes[:, None])
                book.inited.fill_(1.0)
                residual = residual - layer.decode(layer.encode(residual.T[None]))[0].T
        self.fitted = True

    def _freeze(self) -> None:
        self.model.encoder.requires_grad_(False)
        self.frozen = True
        self._save()
        with whole_file(self.work / FROZEN_CODEC) as temporary:
            torch.save(self.model.state_dict(), temporary)

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "spent": self.spent,
            "steps": self.steps,
            "fitted": self.fitted,
            "frozen": self.frozen,
        }
        with whole_file(self.path) as temporary:
            torch.save(state, temporary)

    def _restore(self) -> None:
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.spent, self.steps, self.fitted = state["spent"], state["steps"], state["fitted"]
        self.frozen = state["frozen"]
        if self.frozen:
            self.model.encoder.requires_grad_(False)


def build_codec(device: torch.device) -> Any:
    """audiocraft's EncodecModel of mini's shape, with first weights."""
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    settings = OmegaConf.create(codec_config())
    settings.device = str(device)
    return builders.get_compression_model(settings)


def keep_variance(model: Any) -> None:
    """First weights with which a waveform reaches the latent and comes back with its size.

    With torch's own, each layer shrinks the signal, and after 150 steps the decoder still gave the same hum
    for any input. Weights of standard deviation `GAIN` / sqrt(inputs) keep it (He et al. 2015,
    arXiv:1502.01852).
    """
    for network in (model.encoder, model.decoder):
        for layer in network.modules():
            if isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d)):
                inputs = layer.in_channels * layer.kernel_size[0]
                if isinstance(layer, nn.ConvTranspose1d):
                    inputs //= layer.stride[0]
                nn.init.normal_(layer.weight, std=GAIN / math.sqrt(inputs))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    with torch.no_grad():
        for module in model.modules():
            if type(module).__name__ == "SEANetResnetBlock":
                added = [layer for layer in module.block.modules() if isinstance(layer, nn.Conv1d)][-1]
                added.weight.mul_(BRANCH)
        first = next(layer for layer in model.encoder.modules() if isinstance(layer, nn.Conv1d))
        first.weight.div_(USUAL_LEVEL)
        last = [layer for layer in model.decoder.modules() if isinstance(layer, nn.Conv1d)][-1]
        last.weight.mul_(USUAL_LEVEL)


def _through(quantizer: Any, latent: Tensor) -> tuple[Tensor, Tensor]:
    """Latents as their codes say them, with gradients as if they had passed; and the commitment loss."""
    with torch.autocast(latent.device.type, enabled=False):
        result = quantizer(latent, FRAME_RATE)
    return result.x, result.penalty


def _cosine(share: float) -> float:
    return 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


class _Crops:
    """Random crops of the training pieces, each piece as likely as another."""

    def __init__(self, work: Path, length: int, seed: int) -> None:
        self.length = length
        self._chooser = np.random.default_rng(seed)
        self._pieces: list[NDArray[np.int16]] = [
            samples[made.start : made.start + made.samples]
            for samples, pieces in shards(work, "train")
            for made in pieces
        ]

    def draw(self, count: int) -> Tensor:
        """A batch `[count, length]`; each crop a little louder or softer than it is."""
        batch = np.empty((count, self.length), np.float32)
        for row in batch:
            piece = self._pieces[self._chooser.integers(len(self._pieces))]
            start = self._chooser.integers(len(piece) - self.length + 1)
            row[:] = piece[start : start + self.length]
            row *= self._chooser.uniform(0.6, 1.05) / 32767
        return torch.from_numpy(batch)
