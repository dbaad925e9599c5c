"""Captions as a model reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def attributes_of(lm: Any, captions: Sequence[str | None]) -> list[Any]:
    """audiocraft's attributes for captions; None is no caption. A melody model gets no melody."""
    import torch
    from audiocraft.modules.conditioners import ConditioningAttributes, WavCondition

    device = next(lm.parameters()).device
    attributes = [ConditioningAttributes(text={"description": caption or None}) for caption in captions]
    if "self_wav" in lm.condition_provider.conditioners:
        rate = lm.condition_provider.conditioners["self_wav"].sample_rate
        for attribute in attributes:
            attribute.wav["self_wav"] = WavCondition(
                torch.zeros((1, 1, 1), device=device), torch.tensor([0], device=device), [rate], [None]
            )
    return attributes


def condition_tensors(lm: Any, captions: Sequence[str | None]) -> dict[str, Any]:
    """The embedded captions, which the model's forward takes; gradients reach what is trained of them."""
    tokenized = lm.condition_provider.tokenize(attributes_of(lm, captions))
    tensors: dict[str, Any] = lm.condition_provider(tokenized)
    return tensors
