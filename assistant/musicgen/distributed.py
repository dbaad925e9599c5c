"""Several processes that train one model: each learns from its part of every step's crops."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_PATIENCE = timedelta(days=7)
"""The others wait while the first one is paused."""


@dataclass(frozen=True)
class World:
    """The processes of a fine-tune, and which of them this one is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that speaks and writes."""
        return self.rank == 0

    def part_of(self, crops: int) -> range:
        """The crops of a step that this process learns from."""
        return range(self.rank * crops // self.size, (self.rank + 1) * crops // self.size)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Give each process the sum of all processes' tensors, in place.

        Gradients are added once an update, so accumulation costs no extra exchange. The processes
        must give tensors of the same shapes in the same order.
        """
        if self.size == 1:
            return
        import torch
        from torch import distributed

        groups: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            groups.setdefault(tensor.dtype, []).append(tensor)
        for same in groups.values():
            flat = torch.cat([tensor.reshape(-1) for tensor in same])
            distributed.all_reduce(flat)
            for tensor, part in zip(same, torch.split(flat, [one.numel() for one in same]), strict=True):
                tensor.copy_(part.view_as(tensor))

    def any(self, here: bool) -> bool:
        """Whether it is so in some process."""
        if self.size == 1:
            return here
        import torch
        from torch import distributed

        backend = distributed.get_backend()
        flag = torch.tensor([float(here)], device="cuda" if backend == "nccl" else "cpu")
        distributed.all_reduce(flag)
        return bool(flag.item() > 0)

    def agree(self, word: str | None) -> str | None:
        """The first process's word, in all of them."""
        if self.size == 1:
            return word
        from torch import distributed

        words = [word]
        distributed.broadcast_object_list(words)
        return words[0]


def local_card() -> int:
    """The number of the GPU that is this process's, of those of its machine."""
    import torch

    return int(os.environ.get("LOCAL_RANK", "0")) % max(1, torch.cuda.device_count())


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """The processes that torchrun, or a run with several processes, has started; one alone otherwise.

    They are found by torchrun's environment: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    import torch
    from torch import distributed

    if device.type == "cuda":
        torch.cuda.set_device(local_card())
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield World(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
