"""T5 for the captions of a fine-tune: loaded when a text is met that is not on the disk yet."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.musicgen.arrays import Arrays

if TYPE_CHECKING:
    from torch import Tensor


class KeptTexts:
    """What a text encoder made of texts, float32 `[words, width]`, on the disk by the text."""

    def __init__(self, root: Path, conditioner: Any) -> None:
        name = "-".join(("texts", conditioner.name.replace("/", "-")))
        if conditioner.normalize_text:
            name += "-normalized"
        self._arrays = Arrays(root / name, conditioner.dim, np.float32)

    def get(self, text: str) -> Tensor | None:
        """As it was made; None for a text that has not been met."""
        import torch

        key = _key(text)
        if not self._arrays.intact(key):
            return None
        return torch.from_numpy(np.ascontiguousarray(self._arrays.read(key).T))

    def keep(self, text: str, hidden: Tensor) -> None:
        """Put it on the disk, if another process has not; where the disk is full it is made again one day."""
        key, array = _key(text), hidden.detach().cpu().numpy().T
        try:
            with self._arrays.lock():
                self._arrays.refresh()
                if not self._arrays.intact(key):
                    self._arrays.add(key, array, durable=False)
        except OSError:
            return


def _key(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@contextmanager
def loaded_when_needed() -> Iterator[None]:
    """Let audiocraft build models inside whose T5 is loaded, or fetched, at its first use."""
    builders: Any = importlib.import_module("audiocraft.models.builders")
    theirs = builders.T5Conditioner
    late = _conditioner(theirs)
    # One that was trained is a part of the model.
    builders.T5Conditioner = lambda **settings: (theirs if settings.get("finetune") else late)(**settings)
    try:
        yield
    finally:
        builders.T5Conditioner = theirs


def _conditioner(theirs: Any) -> Any:
    import torch
    from audiocraft.modules.conditioners import TextConditioner

    class Conditioner(theirs):  # type: ignore[misc]
        """audiocraft's, without its T5 until that is asked for."""

        def __init__(self, name: str, output_dim: int, normalize_text: bool = False, **settings: Any) -> None:
            TextConditioner.__init__(self, self.MODELS_DIMS[name], output_dim)
            self.name, self.normalize_text = name, normalize_text
            self.finetune = False
            self._settings = {
                **settings,
                "name": name,
                "output_dim": output_dim,
                "normalize_text": normalize_text,
            }

        @cached_property
        def _whole(self) -> Any:
            from assistant.musicgen.loading import explained

            # A run must go on as if it had been there all the time.
            with explained(self.name), torch.random.fork_rng():
                return theirs(**self._settings).eval()

        @property
        def t5(self) -> Any:
            """The encoder."""
            return self._whole.t5

        @property
        def autocast(self) -> Any:
            """What the encoder is computed in."""
            return self._whole.autocast

        def tokenize(self, x: Any) -> Any:
            """As audiocraft's."""
            return self._whole.tokenize(x)

    return Conditioner
