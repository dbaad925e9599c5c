"""AdamW whose two moments take one byte each for a weight, for cards with little memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

BLOCK = 256
"""Values that share a scale; one large value spoils the others of its block alone."""
LEAST = 4096
"""A weight with fewer values keeps full moments: gains and biases are sensitive, and cost nothing."""
_EPS = 1e-8
_POWERS = {True: 3, False: 4}
"""Of the code that a signed, or an unsigned, moment is kept by: small values need fine steps."""


class AdamW8bit(torch.optim.Optimizer):
    """Decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101) with moments quantized block by block.

    The idea is that of Dettmers et al. 2022 (arXiv 2110.02861): each block of 256 values has its own scale
    and codes that are dense near zero. Here a code is a power, value = scale * (code / most) ** p, which
    needs no table: p = 3 in 127 steps with a sign, p = 4 in 255 without. The second moment is never rounded
    to zero.
    """

    def __init__(
        self, params: Iterable[Any], lr: float, betas: tuple[float, float], weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of all weights that have a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, group)

    def _update(self, weight: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        small = weight.numel() < LEAST
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            for name in ("first", "second"):
                if small:
                    state[name] = torch.zeros_like(weight, dtype=torch.float32)
                else:
                    state[name], state[f"{name}_scales"] = quantized(
                        torch.zeros_like(weight, dtype=torch.float32), signed=name == "first"
                    )
        state["step"] += 1
        count, (one, two), gradient = float(state["step"]), group["betas"], gradient.float()
        first, second = (
            state[name]
            if small
            else restored(state[name], state[f"{name}_scales"], weight.shape, signed=name == "first")
            for name in ("first", "second")
        )
        first.lerp_(gradient, 1 - one)
        second.lerp_(gradient.square(), 1 - two)
        if not small:
            state["first"], state["first_scales"] = quantized(first, signed=True)
            state["second"], state["second_scales"] = quantized(second, signed=False)
        spread = (second / (1 - two**count)).sqrt_().add_(_EPS)
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.addcdiv_(
            first.to(weight.dtype), spread.to(weight.dtype), value=-group["lr"] / (1 - one**count)
        )

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """torch's own would turn the codes into the weights' number type."""
        super().load_state_dict(state_dict)
        saved = state_dict["state"]
        weights = [weight for group in self.param_groups for weight in group["params"]]
        places = [place for group in state_dict["param_groups"] for place in group["params"]]
        for place, weight in zip(places, weights, strict=True):
            for name, value in saved.get(place, {}).items():
                where = "cpu" if name == "step" else weight.device
                self.state[weight][name] = value.to(where).clone()


def quantized(values: Tensor, *, signed: bool) -> tuple[Tensor, Tensor]:
    """Codes, one byte each, of any shape's values in a row, and the scale of each block."""
    flat = values.flatten()
    blocks = torch.nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(1, keepdim=True)
    shares = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)
    power = 1 / _POWERS[signed]
    if signed:
        codes = (shares.abs().pow_(power) * 127).round_().mul_(shares.sign()).to(torch.int8)
    else:
        codes = (shares.pow_(power) * 255).round_()
        codes = torch.where(blocks > 0, codes.clamp(min=1), codes).to(torch.uint8)
    return codes.flatten()[: len(flat)].clone(), scales[:, 0]


def restored(codes: Tensor, scales: Tensor, shape: torch.Size, *, signed: bool) -> Tensor:
    """The values again, in float32."""
    values = codes.float().div_(127 if signed else 255)
    values = values.pow_(_POWERS[signed])  # an odd power keeps the sign
    return values.mul_(scales.repeat_interleave(BLOCK)[: len(values)]).view(shape)
