"""Adapters as files: safetensors with rank and alpha in their header, beside a card that names the base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.musicgen.models import ADAPTER_FILE

if TYPE_CHECKING:
    from torch import Tensor

_FORMAT = "musichelper-lora-1"
_LORA = (".lora_A", ".lora_B")


def save_adapter(path: Path, matrices: Mapping[str, Tensor], rank: int, alpha: float) -> None:
    """Write adapters, and weights that were trained whole, to a file."""
    from safetensors.torch import save_file

    save_file(
        {name: tensor.detach().to("cpu").contiguous() for name, tensor in matrices.items()},
        path,
        metadata={"format": _FORMAT, "rank": str(rank), "alpha": json.dumps(alpha)},
    )


def fold_adapter(lm: Any, folder: Path) -> None:
    """Make the adapter in a model's folder part of the weights of its base.

    Raises `MusicHelperError` for a file that is damaged or made for another model.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    from assistant.musicgen.lora import fold

    path = folder / ADAPTER_FILE
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            matrices = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        scale = float(header["alpha"]) / int(header["rank"])
        fold(lm, {name: one for name, one in matrices.items() if name.endswith(_LORA)}, scale)
        whole = dict(lm.named_parameters())
        with torch.no_grad():
            for name, tensor in matrices.items():
                if not name.endswith(_LORA):
                    whole[name].copy_(tensor)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise MusicHelperError(
            _("The adapter {path} cannot be used: {reason}.").format(path=path, reason=error),
            _("It is damaged, or it was made for another model than the base that its card names."),
        ) from error
