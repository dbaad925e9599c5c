"""From logits to tokens: guidance, temperature, top-k, top-p, and one number of chance for each token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from assistant.musicgen.engine.drawing import draw


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; the names and the law are those of audiocraft's `LMModel.generate`."""

    temperature: float = 1.0
    """0 takes the likeliest token."""
    top_k: int = 250
    top_p: float = 0.0
    """Above 0 it stands in for top-k."""
    guidance: float = 3.0


DEFAULT_SAMPLING = Sampling()


def guide(with_words: Tensor, without: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance (Kreuk et al. 2022, arXiv 2209.15352): away from what is likely anyway."""
    return without + (with_words - without) * guidance


def choose(logits: Tensor, uniform: Tensor | None, sampling: Sampling) -> Tensor:
    """Tokens `[…]` for logits `[…, card]` and numbers between 0 and 1 `[…]`; without those the likeliest.

    The token at which the cumulative probability, in the order of the codebook, passes the number: the
    law is that of `torch.multinomial`, and small errors in the logits hardly ever change the token.
    """
    temperature = sampling.temperature
    if temperature <= 0.0 or uniform is None:
        return logits.argmax(dim=-1)
    if logits.device.type == "cpu" and sampling.top_p <= 0.0:
        rows = logits.reshape(-1, logits.size(-1)).numpy()
        drawn = draw(rows, uniform.flatten().numpy(), temperature, sampling.top_k)
        return torch.from_numpy(drawn).view_as(uniform)
    return draw_on_device(logits, uniform, sampling)


def draw_on_device(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """The same on any device, for a temperature above 0; nothing waits for the host."""
    temperature, top_k, top_p = sampling.temperature, sampling.top_k, sampling.top_p
    weights = torch.softmax(logits / temperature, dim=-1)
    if top_p > 0.0:
        weights = weights * within_top_p(weights, top_p)
    elif 0 < top_k < weights.size(-1):
        likeliest = torch.topk(weights, top_k, dim=-1, sorted=False)[0]
        weights = weights * (weights >= likeliest.amin(dim=-1, keepdim=True))
    sums = weights.cumsum(dim=-1)
    return (sums <= uniform.unsqueeze(-1) * sums[..., -1:]).sum(dim=-1)


def within_top_p(probabilities: Tensor, top_p: float) -> Tensor:
    """Which tokens `[…, card]` are among the likeliest that together first pass `top_p`."""
    ordered, places = torch.sort(probabilities, dim=-1, descending=True)
    kept = ordered.cumsum(dim=-1) - ordered <= top_p
    return torch.zeros_like(kept).scatter(-1, places, kept)
