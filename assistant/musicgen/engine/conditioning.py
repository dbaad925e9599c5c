"""What a clip hears beside its own tokens: words to attend to, or words and a melody before the music."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MELODY = "self_wav"


@dataclass(frozen=True)
class Condition:
    """The conditions of one clip; each clip's are computed alone, so that none depends on its batch."""

    words: Tensor | None
    """To attend to `[length, dim]`; None where there is nothing to hear."""
    prefix: Tensor
    """Before the tokens, with the conditions and without them `[2, length, dim]`; often of length 0."""
    guided: bool
    """Whether the conditions change anything, so that guidance has something to go by."""


def follows_melodies(lm: Any) -> bool:
    """Whether audiocraft's `LMModel` can follow a melody."""
    return MELODY in lm.condition_provider.conditioners


def condition_of(lm: Any, prompt: str, melody: Tensor | None) -> Condition:
    """The condition for a prompt (empty: none) and a melody `[channels, samples]` at the model's rate."""
    from audiocraft.modules.conditioners import ClassifierFreeGuidanceDropout

    attributes = [_attributes(lm, prompt, melody)]
    both = attributes + ClassifierFreeGuidanceDropout(p=1.0)(attributes)
    with torch.inference_mode():
        tensors = lm.condition_provider(lm.condition_provider.tokenize(both))
        number = lm.emb[0].weight
        fused, cross = lm.fuser(number.new_zeros((2, 1, lm.dim)), tensors)
    prefix = fused[:, :-1].float()
    words = None
    if cross is not None and bool(cross[0].any()):
        words = cross[0].float()
    return Condition(words, prefix, words is not None or not torch.equal(prefix[0], prefix[1]))


def melody_window(melody: Tensor, first_sample: int, samples: int) -> Tensor:
    """The part `[channels, samples]` of a melody that a later window hears; it repeats where it ends
    (audiocraft's `MusicGen._generate_tokens`)."""
    places = torch.arange(first_sample, first_sample + samples) % melody.shape[-1]
    return melody[:, places]


def _attributes(lm: Any, prompt: str, melody: Tensor | None) -> Any:
    from audiocraft.modules.conditioners import ConditioningAttributes, WavCondition

    found = ConditioningAttributes(text={"description": prompt or None})
    if follows_melodies(lm):
        conditioner = lm.condition_provider.conditioners[MELODY]
        device = lm.emb[0].weight.device
        sound = torch.zeros((1, 1, 1)) if melody is None else melody[None]
        length = 0 if melody is None else melody.shape[-1]
        found.wav[MELODY] = WavCondition(
            sound.to(device), torch.tensor([length], device=device), [conditioner.sample_rate], [None]
        )
    return found
