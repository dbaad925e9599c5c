"""One window of tokens for a batch of clips: the delay pattern, the step, and where the step runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from assistant.musicgen.engine.alone import AloneRows
from assistant.musicgen.engine.conditioning import Condition
from assistant.musicgen.engine.rows import Rows
from assistant.musicgen.engine.sampler import Sampling, choose, guide
from assistant.musicgen.engine.weights import Weights

UNKNOWN = -1
_BUCKET = 256
"""A CUDA graph hears a multiple of so many places: few graphs, and little that is read in vain."""


@dataclass(frozen=True)
class Window:
    """What is decoded at once: frames from the start of the window, of which the first are given."""

    frames: int
    given: Tensor
    """Tokens `[clips, codebooks, frames]`."""
    uniforms: Tensor | None
    """`[steps, clips, codebooks]`, with `steps_of(frames)` of them; None takes the likeliest tokens."""


class Decoder:
    """Decodes one window. Guided clips come first; all prefixes have the same length."""

    def __init__(
        self,
        weights: Weights,
        conditions: Sequence[Condition],
        window: Window,
        sampling: Sampling,
        *,
        two_step: bool = False,
        graphs: bool = True,
    ) -> None:
        self._weights, self._sampling = weights, sampling
        self._clips = len(conditions)
        guided = sum(one.guided for one in conditions) if sampling.guidance != 1.0 else 0
        assert all(one.guided for one in conditions[:guided])
        self._guided = guided
        device = weights.device
        self._prefix = conditions[0].prefix.shape[1]
        self.sequence = delayed(window.given, window.frames, weights).to(device)
        self._first = _known_steps(window, weights) - 1
        self._cursor = torch.full((1,), self._first, device=device)
        length = self._prefix + self.sequence.shape[-1]
        self._positions = weights.positions(length)
        self._uniforms = None if window.uniforms is None else window.uniforms.to(device)
        self._offsets = torch.arange(weights.codebooks, device=device) * (weights.card + 1)
        self._places = torch.arange(length, device=device)
        words = [one.words for one in conditions if one.words is not None]
        rows_of = [*range(self._clips), *range(guided)]
        parts = [rows_of[: self._clips], rows_of[self._clips :]] if two_step and guided else [rows_of]
        make_rows = AloneRows if weights.alone else Rows
        self._groups: list[AloneRows | Rows] = [
            make_rows(weights, len(part), length, words if number == 0 else [])
            for number, part in enumerate(parts)
        ]
        self._rows_of = [
            torch.tensor(part + [0] * (group.padded - len(part)), device=device)
            for part, group in zip(parts, self._groups, strict=True)
        ]
        self._counts = [len(part) for part in parts]
        self._graphs = graphs and device.type == "cuda"
        prefixes = torch.cat(
            [torch.stack([one.prefix[0] for one in conditions])]
            + [one.prefix[1:] for one in conditions[:guided]]
        )
        self._prefill(prefixes, parts)

    def _prefill(self, prefixes: Tensor, parts: list[list[int]]) -> None:
        """Hear the prefix and all that is given but the last step, which is the first to be stepped from."""
        length = self._prefix + self._first
        if not length:
            return
        known = self._embedded(self.sequence[:, :, : self._first].transpose(1, 2).flatten(0, 1))
        known = known.view(self._clips, self._first, self._weights.dim)
        first = 0
        for group, part in zip(self._groups, parts, strict=True):
            before = prefixes[first : first + len(part)]
            group.prefill(torch.cat([before, known[part]], dim=1) + self._positions[:length])
            first += len(part)

    def run(self, block: int) -> Generator[int, None, None]:
        """Decode all; after each `block` steps yields how many frames of all codebooks are decided."""
        last = self.sequence.shape[-1] - 1
        longest = max(self._weights.delays)
        told = self._first
        done: Any = None
        with self._replayed() if self._graphs else nullcontext(self._step_alone) as step_to:
            for step in range(self._first, last):
                step_to(self._prefix + step + 1)
                if step + 1 - told < block and step + 1 < last:
                    continue
                before, told = told, step + 1
                if not self._graphs:
                    yield max(0, told - longest)
                    continue
                # The block before this one is awaited, so that the GPU always has one more to do.
                ahead, done = done, torch.cuda.Event()  # type: ignore[no-untyped-call]
                done.record(torch.cuda.current_stream(self._weights.device))
                if ahead is not None:
                    ahead.synchronize()
                    yield max(0, before - longest)
            if done is not None:
                done.synchronize()
                yield last - longest

    def frames(self, first: int, last: int) -> Tensor:
        """Decided tokens `[clips, codebooks, last - first]`."""
        return torch.stack(
            [
                self.sequence[:, codebook, 1 + delay + first : 1 + delay + last]
                for codebook, delay in enumerate(self._weights.delays)
            ],
            dim=1,
        )

    def _step(self, attended: int, bias: Tensor | None) -> None:
        """One step: reads the last decided tokens, decides the next ones, moves on. Nothing in it waits for
        the device, and all that changes from step to step is on the device."""
        tokens = self.sequence.index_select(2, self._cursor).squeeze(2)
        embedded = self._embedded(tokens)
        place = self._cursor + self._prefix if self._prefix else self._cursor
        position = self._positions.index_select(0, place)
        logits = []
        for group, rows, count in zip(self._groups, self._rows_of, self._counts, strict=True):
            x = embedded.index_select(0, rows).add_(position)
            logits.append(group.step(x, place, attended, bias)[:count])
        whole = logits[0] if len(logits) == 1 else torch.cat(logits)
        uniform = None
        if self._uniforms is not None:
            uniform = self._uniforms.index_select(0, self._cursor).squeeze(0)
        chosen = choose(self._mixed(whole), uniform, self._sampling)
        self._cursor.add_(1)
        given = self.sequence.index_select(2, self._cursor).squeeze(2)
        chosen = torch.where(given == UNKNOWN, chosen, given)
        self.sequence.index_copy_(2, self._cursor, chosen[:, :, None])

    def _mixed(self, logits: Tensor) -> Tensor:
        clips, guided = self._clips, self._guided
        if guided:
            mixed = guide(logits[:guided], logits[clips:], self._sampling.guidance)
            logits = mixed if guided == clips else torch.cat([mixed, logits[guided:clips]])
        return logits.view(clips, self._weights.codebooks, -1)

    def _embedded(self, tokens: Tensor) -> Tensor:
        """The sum of the codebooks' embeddings `[…, dim]` for tokens `[…, codebooks]`."""
        return torch.nn.functional.embedding_bag(tokens + self._offsets, self._weights.embeddings, mode="sum")

    def _bias(self, attended: int) -> Tensor:
        """Zero for the places that were written, minus infinity for the rest, known to the device alone."""
        unwritten = self._places[:attended] > self._cursor + self._prefix
        bias = torch.zeros((1, attended), device=self._weights.device, dtype=self._weights.number)
        return bias.masked_fill(unwritten, float("-inf"))

    def step_in_bucket(self, attended: int) -> None:
        """The step as a graph holds it: over more places than were written."""
        self._step(attended, self._bias(attended))

    def _step_alone(self, attended: int) -> None:
        self._step(attended, None)

    @contextmanager
    def _replayed(self) -> Iterator[Callable[[int], None]]:
        """Steps that replay CUDA graphs, one for each bucket.

        All are freed together, and when none is under way: with a graph, newer versions of torch free the
        workspace that cuBLAS has for the stream of capture, whose address the other graphs hold.
        """
        graphs: dict[int, torch.cuda.CUDAGraph] = {}

        def step_to(attended: int) -> None:
            bucket = min(-(-attended // _BUCKET) * _BUCKET, len(self._places))
            if bucket not in graphs:
                graphs[bucket] = self._captured(bucket)
            graphs[bucket].replay()

        try:
            yield step_to
        finally:
            torch.cuda.current_stream(self._weights.device).synchronize()
            graphs.clear()

    def _captured(self, bucket: int) -> torch.cuda.CUDAGraph:
        """The step for a bucket as a CUDA graph. The run before it, which capture needs, leaves no trace:
        what it wrote to the caches is written again."""
        device = self._weights.device
        kept = self._cursor.clone(), self.sequence.clone()
        side, graph = _side_stream(device), torch.cuda.CUDAGraph()
        with torch.cuda.device(device):
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self.step_in_bucket(bucket)
            torch.cuda.current_stream().wait_stream(side)
            # The codec of the window before may use the device in another thread.
            with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                self.step_in_bucket(bucket)
        self._cursor.copy_(kept[0])
        self.sequence.copy_(kept[1])
        return graph


@cache
def _side_stream(device: torch.device) -> Any:
    """Where graphs are captured: one stream, for cuBLAS keeps a workspace for each that it has seen."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def steps_of(frames: int, weights: Weights) -> int:
    """Steps of the sequence for so many frames: one before the music, and the longest delay after it."""
    return 1 + frames + max(weights.delays)


def delayed(given: Tensor, frames: int, weights: Weights) -> Tensor:
    """The sequence `[clips, codebooks, steps]` of the delay pattern: the given frames `[clips, codebooks,
    given]`, `UNKNOWN` for those to be decided, and the special token around each codebook."""
    steps = steps_of(frames, weights)
    sequence = torch.full((*given.shape[:2], steps), weights.card)
    for codebook, delay in enumerate(weights.delays):
        first = 1 + delay
        sequence[:, codebook, first : first + frames] = UNKNOWN
        sequence[:, codebook, first : first + given.shape[2]] = given[:, codebook].cpu()
    return sequence


def _known_steps(window: Window, weights: Weights) -> int:
    """How many steps of the sequence are known from the start on."""
    return 1 + min(weights.delays) + window.given.shape[2]
