"""Captions as a model reads them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from assistant.musicgen.chroma import Melodies
    from assistant.musicgen.text_encoder import KeptTexts

MELODY = "self_wav"
"""The condition of a model that follows melodies."""
MOST_REMEMBERED = 4096


def attributes_of(lm: Any, captions: Sequence[str | None]) -> list[Any]:
    """audiocraft's attributes for captions; None is no caption. A melody model gets no melody."""
    import torch
    from audiocraft.modules.conditioners import ConditioningAttributes, WavCondition

    device = next(lm.parameters()).device
    attributes = [ConditioningAttributes(text={"description": caption or None}) for caption in captions]
    if MELODY in lm.condition_provider.conditioners:
        rate = lm.condition_provider.conditioners[MELODY].sample_rate
        for attribute in attributes:
            attribute.wav[MELODY] = WavCondition(
                torch.zeros((1, 1, 1), device=device), torch.tensor([0], device=device), [rate], [None]
            )
    return attributes


class Conditions:
    """The conditions of batches, each text encoded once by T5; only what is trained after it runs again."""

    def __init__(self, lm: Any, kept: KeptTexts | None = None) -> None:
        self._lm, self._kept = lm, kept
        self._known: OrderedDict[str, Tensor] = OrderedDict()

    def tensors(
        self, captions: Sequence[str | None], melodies: Melodies | None = None
    ) -> tuple[dict[str, Any], Tensor | None]:
        """The embedded captions, and the melodies of a model that follows them, which the model's fuser
        takes; and where the captions have words, as `hidden_states` takes it.

        audiocraft lets a caption attend to the padding that a longer one in its batch causes; with the
        mask a clip's result never depends on the others. Gradients reach what is trained. Without
        `melodies` there are none.
        """
        provider = self._lm.condition_provider
        attributes = attributes_of(self._lm, captions)
        found: dict[str, Any] = {}
        mask = None
        # The order in which audiocraft's provider has them, and its fuser puts them before the music.
        for name in (*provider.text_conditions, *provider.wav_conditions):
            conditioner = provider.conditioners[name]
            if has_t5(conditioner):
                found[name], words = self._by_t5(conditioner, captions)
                if name in self._lm.fuser.fuse2cond["cross"]:
                    mask = words
            elif name == MELODY and melodies is not None:
                found[name] = _melody(conditioner, melodies)
            else:
                collate = (
                    provider._collate_wavs if name in provider.wav_conditions else provider._collate_text
                )
                found[name] = conditioner(conditioner.tokenize(collate(attributes)[name]))
        return found, mask

    def _by_t5(
        self, conditioner: Any, captions: Sequence[str | None]
    ) -> tuple[tuple[Tensor, Tensor], Tensor | None]:
        import torch

        weight = conditioner.output_proj.weight
        each = [
            self._encoded(conditioner, caption, weight.device) if caption else None for caption in captions
        ]
        lengths = [0 if one is None else len(one) for one in each]
        longest = max(1, *lengths)
        hidden = torch.zeros((len(each), longest, weight.shape[1]), device=weight.device)
        for row, one in enumerate(each):
            if one is not None:
                hidden[row, : len(one)] = one
        places = torch.arange(longest)[None]
        present = (places < torch.tensor(lengths)[:, None]).to(weight.device)
        embedded = conditioner.output_proj(hidden.to(weight.dtype)) * present[..., None]
        # Attention over nothing is not a number; over one zero it is zero.
        heard = [max(1, length) for length in lengths]
        words = None if min(heard) == longest else present | (places == 0).to(weight.device)
        return (embedded, present.int()), words

    def _encoded(self, conditioner: Any, caption: str, device: torch.device) -> Tensor:
        """T5's output `[words, width]` for one text; a text has the same whatever it stands beside."""
        if caption in self._known:
            self._known.move_to_end(caption)
            return self._known[caption]
        hidden = None if self._kept is None else self._kept.get(caption)
        if hidden is None:
            hidden = _by_encoder(conditioner, caption)
            if self._kept is not None:
                self._kept.keep(caption, hidden)
        self._known[caption] = hidden.to(device)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return self._known[caption]


def has_t5(conditioner: Any) -> bool:
    """Whether a condition is made by T5."""
    from audiocraft.modules.conditioners import T5Conditioner

    return isinstance(conditioner, T5Conditioner)


def _by_encoder(conditioner: Any, caption: str) -> Tensor:
    """T5's output `[words, width]`, always in float32, and of all words: what stays of a text is decided
    where crops are drawn, and what audiocraft drops while it trains would be dropped for good here."""
    import torch

    training, conditioner.training = conditioner.training, False
    try:
        with torch.no_grad(), torch.autocast(conditioner.output_proj.weight.device.type, enabled=False):
            inputs = conditioner.tokenize([caption])
            hidden: Tensor = conditioner.t5(**inputs).last_hidden_state[0].float()
    finally:
        conditioner.training = training
    return hidden


def _melody(conditioner: Any, melodies: Melodies) -> tuple[Tensor, Tensor]:
    """The embedded chroma and its mask, as audiocraft's `WaveformConditioner.forward` makes them."""
    import torch

    weight = conditioner.output_proj.weight
    chroma, heard = torch.from_numpy(melodies.chroma), torch.from_numpy(melodies.heard)
    mask = heard.to(weight.device).int()
    embedded = conditioner.output_proj(chroma.to(weight.device, weight.dtype)) * mask[..., None]
    return embedded, mask
