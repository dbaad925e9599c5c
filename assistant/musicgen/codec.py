"""Training of the small EnCodec: first without its quantizer, then the decoder behind it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

CROP_SECONDS = 0.48
BATCH = 4
LEARNING_RATE = 1.2e-3
FREE_SHARE = 0.55
"""The part of the time in which encoder and decoder learn together, with noise in the place of the
quantizer. Then the encoder stays, k-means fits the codebooks to it, and the decoder learns what the
codes leave of the sound. Codebooks that learnt along with the encoder, tried once with the older
first weights, collapsed to a few codes within a minute."""
FEWEST_STEPS = 150
"""On a machine too busy for these in time, training takes longer, up to `PATIENCE` times."""
PATIENCE = 3.0
LATENTS_FOR_CODEBOOKS = 8192
NOISE = 0.1
"""Of the latent's own standard deviation in each channel: what the decoder relies on must survive a
coarse code."""
GRADIENT_CLIP = 10.0
GAIN = 1.15
"""Of the first weights; a little over one makes up for what ELU takes."""
USUAL_LEVEL = 0.15
"""The usual standard deviation of music between -1 and 1."""
FLOOR = 1e-3
"""Of a mel band's amplitude: what is softer than about -60 dB is not worth a code."""
_SCALES = ((256, 24), (512, 48), (1024, 64), (2048, 80))


@dataclass(frozen=True)
class CodecResult:
    """How the training went; distances are mean absolute differences of log-mel spectrograms."""

    steps: int
    seconds: float
    distance: float
    distance_of_silence: float
    distance_of_wrong_codes: float | None
    """Of audio decoded from another piece's codes: where this is no larger, the decoder only hums. None
    where only one piece was held out."""
    codes_used: list[float]
    """For each codebook, the share of its codes that held-out audio uses."""


class MelLoss:
    """Distance of two waveforms in log-mel spectrograms of several window lengths."""

    def __init__(self, rate: int) -> None:
        import torch
        import torchaudio

        self._windows = {n: torch.hann_window(n) for n, _mels in _SCALES}
        self._banks = {
            n: torchaudio.functional.melscale_fbanks(n // 2 + 1, 30.0, rate / 2, mels, rate)
            for n, mels in _SCALES
        }

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean absolute difference of `[batch, samples]` waveforms."""
        total = x.new_zeros(())
        for n, _mels in _SCALES:
            total = total + (self._log_mel(x, n) - self._log_mel(y, n)).abs().mean()
        return total / len(_SCALES)

    def _log_mel(self, x: Tensor, n: int) -> Tensor:
        import torch

        spectrum = torch.stft(x, n, n // 4, window=self._windows[n], return_complex=True)
        magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9) * (4 / n)  # 1 for a full sine
        return torch.log(torch.einsum("bft,fm->bmt", magnitude, self._banks[n]) + FLOOR)


def train_codec(
    model: Any,
    audio: list[NDArray[np.float32]],
    rate: int,
    *,
    seconds: float,
    seed: int = 0,
    on_progress: Callable[[float, int, float], None] | None = None,
) -> CodecResult:
    """Train audiocraft's EncodecModel in place on mono pieces of audio for `seconds` of wall time.

    `on_progress(share of the time, steps, loss)` is called about once a second.
    """
    import torch

    torch.manual_seed(seed)
    chooser = np.random.default_rng(seed)
    held = max(1, len(audio) // 12)
    order = chooser.permutation(len(audio))
    held_out, training = [audio[i] for i in order[:held]], [audio[i] for i in order[held:]] or audio
    crops = _Crops(training, int(CROP_SECONDS * rate), chooser)
    loss_of = MelLoss(rate)

    keep_variance(model)
    model.train()
    quantizer = model.quantizer
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=LEARNING_RATE,
        betas=(0.8, 0.99),
        weight_decay=0.0,
    )
    start = time.monotonic()
    told = start
    steps, fitted = 0, False
    while (share := _share(time.monotonic() - start, seconds, steps)) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * _schedule(share, steps)
        if not fitted and share >= FREE_SHARE:
            _fit_codebooks(model, crops, seed)
            model.encoder.requires_grad_(False)
            fitted = True
        batch = crops.draw(BATCH)
        if fitted:
            with torch.no_grad():
                latent = quantizer.decode(quantizer.encode(model.encoder(batch[:, None])))
        else:
            latent = model.encoder(batch[:, None])
            spread = latent.detach().std(dim=(0, 2), keepdim=True)
            latent = latent + NOISE * spread * torch.randn_like(latent)
        decoded = model.decoder(latent)[:, 0, : batch.shape[1]]
        loss = loss_of(decoded, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_CLIP)
        if torch.isfinite(norm):
            optimizer.step()
        steps += 1
        if on_progress and time.monotonic() - told >= 1.0:
            told = time.monotonic()
            on_progress(min(1.0, share), steps, float(loss.detach()))
    if not fitted:
        _fit_codebooks(model, crops, seed)
    model.requires_grad_(True)
    model.eval()
    return _measure(model, held_out, rate, loss_of, steps, time.monotonic() - start)


def keep_variance(model: Any, gain: float = GAIN, level: float = USUAL_LEVEL, branch: float = 1.0) -> None:
    """First weights with which a waveform reaches the latent and comes back with its size.

    With torch's own, each layer shrinks the signal, and after 150 steps the decoder still gave the
    same hum for any input, with noise in the latent or without. Weights of standard deviation
    gain / sqrt(inputs) keep it (He et al. 2015, arXiv:1502.01852). `level` is the usual one of sound;
    what a residual block adds to its input is made smaller by `branch`.
    """
    import torch
    from torch import nn

    for network in (model.encoder, model.decoder):
        for layer in network.modules():
            if isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d)):
                inputs = layer.in_channels * layer.kernel_size[0]
                if isinstance(layer, nn.ConvTranspose1d):
                    inputs //= layer.stride[0]
                nn.init.normal_(layer.weight, std=gain / math.sqrt(inputs))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    with torch.no_grad():
        for module in model.modules():
            if type(module).__name__ == "SEANetResnetBlock":
                added = [layer for layer in module.block.modules() if isinstance(layer, nn.Conv1d)][-1]
                added.weight.mul_(branch)
        first = next(layer for layer in model.encoder.modules() if isinstance(layer, nn.Conv1d))
        first.weight.div_(level)
        last = [layer for layer in model.decoder.modules() if isinstance(layer, nn.Conv1d)][-1]
        last.weight.mul_(level)


class _Crops:
    """Random crops, each audible piece as likely as another."""

    def __init__(self, audio: list[NDArray[np.float32]], length: int, chooser: np.random.Generator) -> None:
        self._audio = [
            piece if len(piece) >= length else np.pad(piece, (0, length - len(piece))) for piece in audio
        ]
        self._length = length
        self._chooser = chooser

    def draw(self, count: int) -> Tensor:
        """A batch `[count, length]`; each crop a little louder or softer than it is."""
        import torch

        batch = np.empty((count, self._length), np.float32)
        for row in batch:
            piece = self._audio[self._chooser.integers(len(self._audio))]
            start = self._chooser.integers(len(piece) - self._length + 1)
            row[:] = piece[start : start + self._length] * self._chooser.uniform(0.6, 1.1)
        return torch.from_numpy(batch)


def _share(passed: float, seconds: float, steps: int) -> float:
    """How much of the training is done."""
    return max(min(passed / seconds, steps / FEWEST_STEPS), passed / seconds / PATIENCE)


def _schedule(share: float, steps: int) -> float:
    warm = min(1.0, (steps + 1) / 20)
    return warm * (1.0 if share < 0.6 else max(0.05, (1.0 - share) / 0.4))


def _fit_codebooks(model: Any, crops: _Crops, seed: int) -> None:
    """K-means of each quantizer's residual on many latents of the network as it is now."""
    import torch

    from assistant.musicgen.kmeans import kmeans

    with torch.no_grad():
        pieces, count = [], 0
        while count < LATENTS_FOR_CODEBOOKS:
            latent = model.encoder(crops.draw(BATCH)[:, None]).transpose(1, 2).flatten(0, 1)
            pieces.append(latent)
            count += len(latent)
        residual = torch.cat(pieces)
        for layer in model.quantizer.vq.layers:
            book = layer._codebook
            centres, sizes = kmeans(residual, book.codebook_size, seed=seed)
            book.embed.copy_(centres)
            # The moving averages start as if they had seen batches of this mixture.
            sizes = sizes / sizes.sum() * (BATCH * CROP_SECONDS * model.frame_rate)
            book.cluster_size.copy_(sizes)
            book.embed_avg.copy_(centres * sizes[:, None])
            book.inited.fill_(1.0)
            residual = residual - layer.decode(layer.encode(residual.T[None]))[0].T


def _measure(
    model: Any,
    audio: list[NDArray[np.float32]],
    rate: int,
    loss_of: MelLoss,
    steps: int,
    seconds: float,
) -> CodecResult:
    import torch

    distances, silences, wrong = [], [], []
    used: list[Tensor] = []
    with torch.no_grad():
        for piece in audio[:24]:
            hop = rate // model.frame_rate
            x = torch.from_numpy(np.ascontiguousarray(piece[: len(piece) // hop * hop]))[None]
            codes, _scale = model.encode(x[:, None])
            y = model.decode(codes)[:, 0, : x.shape[1]]
            distances.append(float(loss_of(y, x)))
            silences.append(float(loss_of(torch.zeros_like(x), x)))
            if used:
                length = min(codes.shape[2], used[-1].shape[1])
                other = model.decode(used[-1][None, :, :length])[:, 0, : length * hop]
                wrong.append(float(loss_of(other, x[:, : length * hop])))
            used.append(codes[0])
    codes = torch.cat(used, dim=1)
    return CodecResult(
        steps=steps,
        seconds=seconds,
        distance=float(np.mean(distances)),
        distance_of_silence=float(np.mean(silences)),
        distance_of_wrong_codes=float(np.mean(wrong)) if wrong else None,
        codes_used=[len(book.unique()) / model.cardinality for book in codes],
    )
