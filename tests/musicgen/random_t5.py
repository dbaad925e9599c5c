"""audiocraft's T5 conditioner over a T5 with random weights: nothing is downloaded."""

from __future__ import annotations

from typing import Any

import torch

BINS = 64
END = 1


class Tokenizer:
    """Each word a number, then the end; padding is 0, as in T5."""

    def __call__(self, texts: list[str], **_settings: Any) -> Any:
        from transformers import BatchEncoding

        rows = [[2 + sum(word.encode()) % (BINS - 2) for word in text.split()] + [END] for text in texts]
        longest = max(map(len, rows))
        return BatchEncoding(
            {
                "input_ids": torch.tensor([row + [0] * (longest - len(row)) for row in rows]),
                "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
            }
        )


def use_random_t5(lm: Any, width: int = 16, layers: int = 2, heads: int = 2, inner: int = 32) -> Any:
    """Put such a conditioner in the place of the model's own; returns the model."""
    from audiocraft.modules.conditioners import BaseConditioner, T5Conditioner
    from audiocraft.utils.autocast import TorchAutocast
    from transformers import T5Config, T5EncoderModel

    conditioner: Any = T5Conditioner.__new__(T5Conditioner)
    BaseConditioner.__init__(conditioner, width, lm.dim)
    conditioner.device, conditioner.finetune = "cpu", False
    conditioner.word_dropout, conditioner.normalize_text = 0.0, False
    conditioner.autocast = TorchAutocast(enabled=False)
    conditioner.t5_tokenizer = Tokenizer()
    config = T5Config(
        vocab_size=BINS,
        d_model=width,
        d_kv=width // heads,
        d_ff=inner,
        num_layers=layers,
        num_heads=heads,
        dropout_rate=0.0,
    )
    conditioner.__dict__["t5"] = T5EncoderModel(config).train(False)
    lm.condition_provider.conditioners["description"] = conditioner
    return lm
