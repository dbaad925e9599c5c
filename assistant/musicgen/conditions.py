"""Captions as a model reads them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MOST_REMEMBERED = 4096


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


class Conditions:
    """The conditions of batches, each text encoded once by T5; only what is trained after it runs again."""

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._known: OrderedDict[str, Tensor] = OrderedDict()

    def tensors(self, captions: Sequence[str | None]) -> tuple[dict[str, Any], Tensor | None]:
        """The embedded captions, which the model's fuser takes, and where they have words, as
        `hidden_states` takes it.

        audiocraft lets a caption attend to the padding that a longer one in its batch causes; with the
        mask a clip's result never depends on the others. Gradients reach what is trained.
        """
        provider = self._lm.condition_provider
        attributes = attributes_of(self._lm, captions)
        found: dict[str, Any] = {}
        mask = None
        for name, conditioner in provider.conditioners.items():
            if hasattr(conditioner, "t5"):
                found[name], words = self._by_t5(conditioner, captions)
                if name in self._lm.fuser.fuse2cond["cross"]:
                    mask = words
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

        each = [self._encoded(conditioner, caption) if caption else None for caption in captions]
        lengths = [0 if one is None else len(one) for one in each]
        longest = max(1, *lengths)
        weight = conditioner.output_proj.weight
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

    def _encoded(self, conditioner: Any, caption: str) -> Tensor:
        """T5's output `[words, width]` for one text; a text has the same whatever it stands beside."""
        import torch

        if caption in self._known:
            self._known.move_to_end(caption)
            return self._known[caption]
        with torch.no_grad(), conditioner.autocast:
            inputs = conditioner.tokenize([caption])
            hidden: Tensor = conditioner.t5(**inputs).last_hidden_state[0].float()
        self._known[caption] = hidden
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return hidden
