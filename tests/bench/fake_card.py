"""A GPU that is not here: tensors that claim to be on it and take no memory, what they would take of its own,
and what would make the program wait for it.

torch's `FakeTensorMode` gives such tensors; a mode above it counts the live storages after each operation, in
the allocator's pieces of 512 bytes. torch's backward engine refuses the tensors of a device that is not here,
so `backward` calls the same nodes in the same order in Python. A count is what the tensors take: not CUDA's
own context, not what the allocator keeps in reserve, and of the kernels' own only what `KERNELS` knows.
"""

from __future__ import annotations

import heapq
import sys
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import compress
from typing import Any
from unittest import mock

import torch
import torch.utils.checkpoint
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

aten = torch.ops.aten
PIECE = 512
"""Bytes; the CUDA allocator takes no less (`kMinBlockSize` of c10/cuda/CUDACachingAllocator)."""
_WAITS = {
    aten._local_scalar_dense.default: "a value",
    aten.nonzero.default: "a count",
    aten.masked_select.default: "a count",
    aten.equal.default: "a value",
}


def _flash_backward(_out: Tensor, q: Tensor, *_others: Any) -> int:
    """FlashAttention adds up the queries' gradients in float32, and keeps a float32 of each row."""
    batch, heads, steps, width = q.shape
    steps = -(-steps // 128) * 128
    return batch * heads * steps * (width + 1) * 4


KERNELS: dict[Any, Callable[..., int]] = {
    aten._scaled_dot_product_flash_attention_backward.default: _flash_backward,
    aten._scaled_dot_product_efficient_attention_backward.default: _flash_backward,
}
"""Bytes that a kernel takes for itself while it runs."""


@dataclass
class _Storage:
    size: int
    kind: str
    born: int
    died: int = sys.maxsize


@dataclass(frozen=True)
class Waiting:
    """A place in the program where it waits for the GPU, or copies to it."""

    what: str
    where: str


class Card(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is active: tensors on `cuda` take nothing, and what they would take is counted.

    Without `fake`, real storages of the device are counted, with which the way of counting can be checked.
    What is fake has no values: a number read from it is one.
    """

    def __init__(self, device: str = "cuda", *, fake: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device, self.fake = torch.device(device), fake
        self.piece = PIECE if self.device.type == "cuda" else 1
        self.now, self.peak = 0, 0
        self.waits: Counter[Waiting] = Counter()
        self._clock, self._at_peak, self._extra = 0, 0, 0
        self._known: Any = WeakIdKeyDictionary()
        self._all: list[_Storage] = []
        self._stack = ExitStack()

    def __enter__(self) -> Card:
        if self.fake:
            self._stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
            self._stack.enter_context(without_a_card())
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        self._stack.close()

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        fakes = [one for one in tensors if isinstance(one, FakeTensor)]
        self._note_waits(func, fakes, kwargs)
        if func is aten._local_scalar_dense.default and fakes:
            return {torch.bool: True}.get(fakes[0].dtype, 1.0 if fakes[0].is_floating_point() else 1)
        wanted = kwargs.get("device")
        there = bool(fakes) or (wanted is not None and torch.device(wanted).type == self.device.type)
        extra = KERNELS[func](*args) if func in KERNELS else 0
        with nullcontext() if there or not self.fake else unset_fake_temporarily():
            found = func(*args, **kwargs)
        self._count(one for one in tree_leaves(found) if isinstance(one, Tensor))
        self._look(extra)
        return found

    def mark(self, tensors: Iterable[Tensor], kind: str) -> None:
        """Say of what kind these are."""
        for one in tensors:
            storage = self._known.get(one.untyped_storage())
            if storage is not None:
                storage.kind = kind

    def at_peak(self) -> dict[str, int]:
        """The bytes of each kind when there were most."""
        found: Counter[str] = Counter({"inside kernels": self._extra})
        for one in self._all:
            if one.born <= self._at_peak < one.died:
                found[one.kind] += one.size
        return dict(found)

    def _count(self, tensors: Iterator[Tensor]) -> None:
        for one in tensors:
            if one.device.type != self.device.type:
                continue
            storage = one.untyped_storage()
            if storage in self._known:
                continue
            size = -(-storage.nbytes() // self.piece) * self.piece
            self._clock += 1
            made = _Storage(size, "", self._clock)
            self._known[storage] = made
            self._all.append(made)
            self.now += size
            weakref.finalize(storage, self._freed, made)

    def _freed(self, storage: _Storage) -> None:
        self._clock += 1
        storage.died = self._clock
        self.now -= storage.size

    def _look(self, extra: int) -> None:
        if self.now + extra > self.peak:
            self.peak, self._at_peak, self._extra = self.now + extra, self._clock, extra

    def _note_waits(self, func: Any, fakes: list[FakeTensor], kwargs: dict[str, Any]) -> None:
        there = [one for one in fakes if one.device.type == self.device.type]
        what = _WAITS.get(func) if there else None
        if func is aten._to_copy.default and kwargs.get("device") is not None:
            to_card = torch.device(kwargs["device"]).type == self.device.type
            if there and not to_card and self.device.type != "cpu":
                what = "a copy from it"
        if what:
            self.waits[Waiting(what, _where())] += 1


def _where() -> str:
    frames = [frame for frame in traceback.extract_stack() if "/assistant/" in frame.filename]
    if not frames:
        return "?"
    last = frames[-1]
    return f"{last.filename.rpartition('/assistant/')[2]}, {last.name}"


@contextmanager
def without_a_card() -> Iterator[None]:
    """What torch must believe for a training step on tensors of a GPU that is not here."""
    with ExitStack() as stack:
        for place, value in (
            ("torch.cuda.amp.common.amp_definitely_not_available", lambda: False),
            ("torch.cuda.is_bf16_supported", lambda *_args: True),
            ("torch._C._current_graph_task_id", lambda: 1),  # of a backward pass that recomputes
            ("torch.Tensor.backward", backward),
            ("weakref.getweakrefs", lambda _one: []),  # `Module.to` exchanges fake weights
        ):
            stack.enter_context(mock.patch(place, value))
        yield


@torch.no_grad()
def backward(root: Tensor) -> None:
    """torch's backward pass on one thread: nodes by age, the youngest first, each freed when it is done.

    As `Engine::execute` (torch/csrc/autograd/engine.cpp): gradients that meet are added in place where
    nothing else holds them, and a leaf takes its gradient over where that is so. `root` loses its graph.
    """
    start = root.grad_fn
    assert start is not None
    missing = _edges_into(start)
    first = torch.ones_like(root)  # which torch holds to the end
    held: dict[int, dict[int, Tensor]] = {_key(start): {0: first}}
    root.detach_()
    ready: list[tuple[int, Any]] = []
    node: Any = start
    del start
    while True:
        gradients = held.pop(_key(node))
        if hasattr(node, "variable"):
            if gradients:
                _accumulate(node.variable, gradients.popitem()[1])
        else:
            metadata, edges = node._input_metadata, node.next_functions
            inputs = [gradients.pop(place, None) for place in range(len(metadata))]
            run = getattr(node, "apply", node)
            results = run(*inputs)
            del inputs
            results = list(results) if isinstance(results, tuple) else [results]
            if hasattr(node, "needs_input_grad"):  # of inputs that are no tensors there are no edges
                results = list(compress(results, node.needs_input_grad))
                edges = [edge for edge in edges if edge[0] is not None]
            node = None  # with what it has saved
            for target, place in edges:
                result = results.pop(0)
                if target is None:
                    continue
                key = _key(target)
                slots = held.setdefault(key, {})
                if result is not None:
                    result = _fitting(result, target, place)
                    slots[place] = result if place not in slots else _sum(slots.pop(place), result)
                    del result
                missing[key] -= 1
                if not missing[key]:
                    heapq.heappush(ready, (-_age(target), key, target))  # type: ignore[misc]
            del edges, target
        if not ready:
            return
        node = heapq.heappop(ready)[-1]


def _edges_into(start: Any) -> Counter[int]:
    found: Counter[int] = Counter()
    seen, todo = {_key(start)}, [start]
    while todo:
        for target, _place in todo.pop().next_functions:
            if target is None:
                continue
            key = _key(target)
            found[key] += 1
            if key not in seen:
                seen.add(key)
                todo.append(target)
    return found


def _key(node: Any) -> int:
    """A node's number, which stays when nothing in Python holds the node."""
    return id(node.variable) if hasattr(node, "variable") else -_age(node) - 1


def _age(node: Any) -> int:
    return sys.maxsize if hasattr(node, "variable") else int(node._sequence_nr())


def _fitting(gradient: Tensor, target: Any, place: int) -> Tensor:
    """As the input has it that it is the gradient of: `Engine::validate_outputs`."""
    if hasattr(target, "variable"):
        shape, number = target.variable.shape, target.variable.dtype
    else:
        shape, number = torch.Size(target._input_metadata[place].shape), target._input_metadata[place].dtype
    if gradient.shape != shape:
        gradient = gradient.sum_to_size(shape)
    return gradient if gradient.dtype == number else gradient.to(number)


def _sum(old: Tensor, new: Tensor) -> Tensor:
    # One is this function's, one its caller's (for `new`), one the call of `getrefcount`.
    if sys.getrefcount(old) <= 2 and _alone(old):
        return old.add_(new)
    if sys.getrefcount(new) <= 3 and _alone(new):
        return new.add_(old)
    return old + new


def _alone(one: Tensor) -> bool:
    """Whether nothing in C++ holds it."""
    return bool(one._use_count() == 1)  # type: ignore[attr-defined]


def _accumulate(leaf: Tensor, gradient: Tensor) -> None:
    if leaf.grad is not None:
        leaf.grad += gradient
    elif sys.getrefcount(gradient) <= 3 and gradient.stride() == leaf.stride():
        leaf.grad = gradient.detach()
    else:
        leaf.grad = gradient.clone(memory_format=torch.contiguous_format)
    for hook in (leaf._post_accumulate_grad_hooks or {}).values():
        hook(leaf)
