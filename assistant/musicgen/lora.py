"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) for the weights of audiocraft's language model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assistant.musicgen.spec import TARGETS


class Adapter(nn.Module):
    """What is added to one linear map: `scale * up @ down`; nothing at first, for `up` begins at zero."""

    def __init__(self, weight: Tensor, rank: int, scale: float) -> None:
        super().__init__()
        wide, deep = weight.shape
        self.scale = scale
        self.down = nn.Parameter(torch.empty(rank, deep, device=weight.device))
        self.up = nn.Parameter(torch.zeros(wide, rank, device=weight.device))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Of `[..., in]`, `[..., out]`."""
        return F.linear(F.linear(x, self.down), self.up) * self.scale

    def delta(self) -> Tensor:
        """What it adds to the weight `[out, in]`."""
        return (self.up @ self.down) * self.scale


class Adapters(nn.Module):
    """The adapters of a model, by the names of `adaptable`."""

    def __init__(
        self, lm: Any, *, rank: int, alpha: float, targets: Sequence[str], first_layer: int = 0
    ) -> None:
        super().__init__()
        self.rank, self.alpha, self.targets = rank, alpha, tuple(targets)
        # A name of a module may hold no dot.
        self._each = nn.ModuleDict(
            {
                name.replace(".", "/"): Adapter(weight, rank, alpha / rank)
                for name, weight in adaptable(lm, targets, first_layer).items()
            }
        )

        self._of_layers: dict[str, dict[str, Adapter]] = {}
        for key, adapter in self._each.items():
            assert isinstance(adapter, Adapter)
            if key.startswith("transformer/layers/"):
                number, name = key.removeprefix("transformer/layers/").split("/", 1)
                self._of_layers.setdefault(number, {})[name.replace("/", ".")] = adapter

    def __getitem__(self, name: str) -> Adapter | None:
        key = name.replace(".", "/")
        if key not in self._each:
            return None
        found = self._each[key]
        assert isinstance(found, Adapter)
        return found

    def of_layer(self, number: int) -> Mapping[str, Adapter]:
        """Those of a layer of the transformer, by their names in it."""
        return self._of_layers.get(str(number), {})

    def named(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Each matrix under the name that it has in a file."""
        for key, adapter in self._each.items():
            assert isinstance(adapter, Adapter)
            yield f"{key.replace('/', '.')}.lora_A", adapter.down
            yield f"{key.replace('/', '.')}.lora_B", adapter.up


def adaptable(lm: Any, targets: Sequence[str], first_layer: int = 0) -> dict[str, Tensor]:
    """The weights `[out, in]` that adapters can stand beside; q, k and v are rows of one parameter."""
    found: dict[str, Tensor] = {}
    for number, layer in enumerate(lm.transformer.layers):
        if number < first_layer:
            continue
        place = f"transformer.layers.{number}"
        if "attention" in targets:
            found |= _attention(f"{place}.self_attn", layer.self_attn)
        if "cross" in targets and layer.cross_attention is not None:
            found |= _attention(f"{place}.cross_attention", layer.cross_attention)
        if "feedforward" in targets:
            found |= {f"{place}.linear1": layer.linear1.weight, f"{place}.linear2": layer.linear2.weight}
    if "heads" in targets:
        found |= {f"linears.{number}": head.weight for number, head in enumerate(lm.linears)}
    return {name: weight.detach() for name, weight in found.items()}


def fold(lm: Any, matrices: Mapping[str, Tensor], scale: float) -> None:
    """Add adapters, as `Adapters.named` names them, to the weights of a model for good.

    Raises `KeyError` for a matrix that has no place in the model or no partner, `ValueError` for one
    of another shape.
    """
    places = adaptable(lm, TARGETS)
    wanted = {name.rpartition(".lora_")[0] for name in matrices}
    with torch.no_grad():
        for name in sorted(wanted):
            weight = places[name]
            down, up = matrices[f"{name}.lora_A"].float(), matrices[f"{name}.lora_B"].float()
            if (up.shape[0], down.shape[1]) != weight.shape or up.shape[1] != down.shape[0]:
                raise ValueError(f"{name} has another shape")
            delta = (up @ down).to(weight.device) * scale
            weight.copy_((weight.float() + delta).to(weight.dtype))


def _attention(place: str, attention: Any) -> dict[str, Tensor]:
    q, k, v = attention.in_proj_weight.chunk(3)
    return {
        f"{place}.q": q,
        f"{place}.k": k,
        f"{place}.v": v,
        f"{place}.out_proj": attention.out_proj.weight,
    }
