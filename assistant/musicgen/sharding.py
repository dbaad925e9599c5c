"""A model whose layers are shared out among processes (FSDP2), for weights that do not fit into one card.

Only the transformer's layers are: embeddings and heads are small beside them, and stay whole everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor


def shard_layers(lm: Any, compute: Callable[..., Tensor]) -> None:
    """Share out the weights of each layer; calling one gathers them and computes `compute(layer, …)`.

    Its gradients are summed over the processes, each process having those of its own share.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    device = next(lm.parameters()).device
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for layer in lm.transformer.layers:
        # Each layer is a root of its own, and roots would stay whole after a forward pass.
        sharded: Any = fully_shard(layer, mesh=mesh, reshard_after_forward=True)
        sharded.set_gradient_divide_factor(1.0)
        sharded.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        layer.forward = partial(compute, layer)


def is_shared_out(tensor: Any) -> bool:
    """Whether this process has only a part of it."""
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def gathered(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same whole; all processes must ask for it."""
    return {name: _whole(tensor) for name, tensor in tensors.items()}


def gathered_state(state: Any) -> Any:
    """An optimizer's state with whole tensors; all processes must ask for it."""
    if isinstance(state, dict):
        return {key: gathered_state(value) for key, value in state.items()}
    return _whole(state)


def share_of(whole: Tensor, like: Tensor) -> Tensor:
    """What this process keeps of a whole tensor, shared out as another one is."""
    if not is_shared_out(like):
        return whole
    from torch.distributed.tensor import distribute_tensor

    placed: Any = like
    return distribute_tensor(
        whole.detach().to(placed.to_local().device), placed.device_mesh, placed.placements, src_data_rank=None
    )


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> float:
    """As `clip_grad_norm_`, where some gradients are shared out; the norm of all of them."""
    gradients = [one.grad for one in parameters if one.grad is not None]
    parts: list[Any] = [one for one in gradients if is_shared_out(one)]
    wholes = [one for one in gradients if not is_shared_out(one)]
    local = [part.to_local() for part in parts]
    square = torch.stack([one.square().sum() for one in local]).sum()
    torch.distributed.all_reduce(square)
    square = square + sum(one.square().sum() for one in wholes)
    norm = math.sqrt(float(square))
    if norm > limit:
        for one in (*local, *wholes):
            one.mul_(limit / (norm + 1e-6))
    return norm


def _whole(tensor: Any) -> Any:
    return tensor.detach().full_tensor() if is_shared_out(tensor) else tensor
