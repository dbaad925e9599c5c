"""Products of a few rows with packed weights, the whole cost of a decoding step.

Each is a module of `[rows, in]` float32 that gives `[rows, out]` float32. On an x86 processor a row's
result is the same bits whatever the number of rows: a clip comes out alike alone and among others.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assistant.errors import MusicHelperError
from assistant.i18n import _

_LARGEST_HALF = 65504.0
_SHIFT = 2.0**12
"""What lies below the eleven bits of a half is scaled up by this much, out of the halves' subnormals."""


def pack(weight: Tensor, bias: Tensor | None, precision: str) -> nn.Module:
    """The product with `weight` `[out, in]`, for a precision of `spec.CLIP_PRECISIONS` but `auto`."""
    weight = weight.detach()
    bias = None if bias is None else bias.detach().float()
    if precision == "int8":
        return EightBit(weight, bias)
    if weight.device.type == "cpu":
        if precision in ("float16", "bfloat16"):
            weight = weight.to(getattr(torch, precision)).float()
        return on_cpu(weight.float(), bias)
    return Plain(weight.to(getattr(torch, precision)), bias)


def on_cpu(weight: Tensor, bias: Tensor | None) -> nn.Module:
    """The float32 product with the least to read: one half a weight where that loses nothing, as for
    Meta's own weights, else two."""
    if not _has_half_products() or float(weight.abs().max()) > _LARGEST_HALF:
        return Plain(weight, bias)
    if torch.equal(weight.half().float(), weight):
        return Halves(weight, bias)
    return SplitHalves(weight, bias)


class Halves(nn.Module):
    """Weights in float16, sums in float32 (FBGEMM's kernel for small batches)."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[rows, out]` of `[rows, in]`."""
        y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
        return y


class SplitHalves(nn.Module):
    """Weights of float32 as a sum of two halves, exact to 22 of their 24 bits.

    As many bytes as float32, yet read at the full speed of the memory, which float32's own product of
    few rows is far from.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        high = weight.half().float()
        both = torch.cat([high, (weight - high) * _SHIFT])
        whole = None if bias is None else torch.cat([bias, torch.zeros_like(bias)])
        self._product = Halves(both, whole)
        self._out, self._unshift = weight.shape[0], 1 / _SHIFT

    def forward(self, x: Tensor) -> Tensor:
        """`[rows, out]` of `[rows, in]`."""
        both = self._product(x)
        high, low = both.narrow(1, 0, self._out), both.narrow(1, self._out, self._out)
        return torch.add(high, low, alpha=self._unshift)


class Plain(nn.Module):
    """torch's own product, in the type of the weight."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self._weight = weight.contiguous()
        self._bias = None if bias is None else bias.to(weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """`[rows, out]` of `[rows, in]`."""
        return F.linear(x.to(self._weight.dtype), self._weight, self._bias).float()


class EightBit(nn.Module):
    """Weights in int8 with a scale for each output, products in bfloat16, sums in float32."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        weight = weight.float()
        scales = weight.abs().amax(dim=1).clamp_min(1e-12) / 127
        self._weight = (weight / scales[:, None]).round().to(torch.int8)
        # Beside the product, where bfloat16 would cost the scale its precision.
        self._ones = torch.ones_like(scales, dtype=torch.bfloat16)
        self._scales, self._bias = scales, bias

    def forward(self, x: Tensor) -> Tensor:
        """`[rows, out]` of `[rows, in]`."""
        y = torch._weight_int8pack_mm(x.to(torch.bfloat16), self._weight, self._ones).float()
        y.mul_(self._scales)
        return y if self._bias is None else y.add_(self._bias)


def _has_half_products() -> bool:
    engine: Any = torch.backends.quantized.engine
    return engine in ("x86", "fbgemm") and hasattr(torch.ops.quantized, "linear_dynamic_fp16")


def require_eight_bits(device: torch.device) -> None:
    """Raise `MusicHelperError` where torch has no product with 8-bit weights for the device."""
    kind = {"cpu": "CPU", "cuda": "CUDA"}.get(device.type, "")
    if not kind or not torch._C._dispatch_has_kernel_for_dispatch_key("aten::_weight_int8pack_mm", kind):
        raise MusicHelperError(
            _("This device has no products with 8-bit weights."), _("Choose the precision float16.")
        )
