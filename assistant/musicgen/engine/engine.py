"""A model ready to make clips: windows of tokens, and sound while they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assistant.musicgen import backend
from assistant.musicgen.engine import codec as codecs
from assistant.musicgen.engine.conditioning import (
    Condition,
    condition_of,
    follows_melodies,
    melody_window,
)
from assistant.musicgen.engine.decoder import Decoder, Window, steps_of
from assistant.musicgen.engine.noise import uniforms
from assistant.musicgen.engine.sampler import DEFAULT_SAMPLING, Sampling
from assistant.musicgen.engine.weights import pack_weights

MOST_AT_ONCE = 8
"""Clips in one batch: with guidance sixteen rows, which a GPU computes in the time of one."""

PIECE_SECONDS = 1.0
"""The codec decodes so much at once: little to wait for, and little that is computed twice."""

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """What is one clip's own."""

    seed: int
    prompts: tuple[str, ...] = ("",)
    """Of each window; the last one holds for all that follow."""
    melody: Tensor | None = None
    """`[channels, samples]` at the model's rate."""


@dataclass(frozen=True)
class Request:
    """What the clips of a batch have in common."""

    frames: int
    """Of each clip, with those that are given."""
    given: Tensor | None = None
    """Tokens that each clip goes on from `[codebooks, frames]`; shorter than the model's span."""
    sampling: Sampling = DEFAULT_SAMPLING
    stride: int = 0
    """Frames that each window after the first adds; 0 is 60 % of the span."""
    two_step: bool = False
    """Guidance in two passes."""


class Engine:
    """audiocraft's language model and codec behind a decoding step of ours.

    `lm` is an `LMModel` in evaluation mode on its device; it is packed and not changed. `precision` is
    one of `spec.CLIP_PRECISIONS` but `auto`. Raises `MusicHelperError` for a model that the engine
    cannot compute.
    """

    def __init__(self, name: str, lm: Any, codec: Any, *, span: float, precision: str) -> None:
        self.name = name
        self._lm, self._codec = lm, codec
        self.weights = pack_weights(lm, precision)
        self.device = self.weights.device
        self.rate: int = int(codec.sample_rate)
        self.channels: int = int(codec.channels)
        self.frame_rate = float(codec.frame_rate)
        self.hop = round(self.rate / self.frame_rate)
        self.span = round(span * self.frame_rate)
        self.precision = precision

    @property
    def card(self) -> int:
        """Tokens in a codebook."""
        return self.weights.card

    @property
    def follows_melodies(self) -> bool:
        """Whether a clip can have a melody."""
        return follows_melodies(self._lm)

    @property
    def mixes_prompts(self) -> bool:
        """Whether clips of different prompts can be decoded together: not where the words come before the
        music, at whose length the music begins."""
        return not self._lm.fuser.fuse2cond["prepend"]

    def forget_packed(self) -> None:
        """Free what was packed of the language model, which is of no other use from then on."""
        self._lm.transformer = None
        self._lm.linears = None
        for table in self._lm.emb:
            table.weight = torch.nn.Parameter(table.weight[:1].clone(), requires_grad=False)

    def encode(self, sounds: Sequence[Sound]) -> list[Tensor]:
        """Tokens `[codebooks, frames]` of sounds `[channels, samples]`."""
        with torch.inference_mode(), backend.threads(backend.usable_threads()):
            return codecs.encode(self._codec, [torch.from_numpy(sound).to(self.device) for sound in sounds])

    def steps(self, request: Request) -> int:
        """How many steps a request takes."""
        return sum(
            steps_of(frames, self.weights) - 1 - min(self.weights.delays) - given
            for _first, frames, given in self._windows(request)
        )

    def tokens(
        self, clips: Sequence[Clip], request: Request, on_steps: Callable[[int], None] | None = None
    ) -> Iterator[Tensor]:
        """New tokens `[clips, codebooks, frames]` as they are decided, in the order of the clips.

        Clips of different prompts go together where `mixes_prompts`.
        `on_steps` hears how many steps are done.
        """
        known: dict[tuple[str, int, int], Condition] = {}
        given = self._given(clips, request)
        before = 0
        for number, (first, frames, kept) in enumerate(self._windows(request)):
            conditions = [self._condition(clip, number, first, request, known) for clip in clips]
            order = sorted(range(len(clips)), key=lambda place: not conditions[place].guided)
            back = torch.tensor(order, device=self.device).argsort()
            steps = steps_of(frames, self.weights)
            chance = None
            if request.sampling.temperature > 0:
                names = [(clips[place].seed, 0) for place in order]
                chance = torch.from_numpy(uniforms(names, first, steps, self.weights.codebooks))
            window = Window(frames, given[order], chance)
            with torch.inference_mode(), backend.threads(self._threads()):
                decoder = Decoder(
                    self.weights,
                    [conditions[place] for place in order],
                    window,
                    request.sampling,
                    two_step=request.two_step,
                )
            taken = kept
            start = 1 + min(self.weights.delays) + kept
            with closing(decoder.run(self._block)) as blocks:
                while True:
                    with torch.inference_mode(), backend.threads(self._threads()):
                        decided = next(blocks, None)
                        if decided is None:
                            break
                        fresh = decoder.frames(taken, max(taken, decided)).index_select(0, back)
                    if on_steps is not None:
                        on_steps(before + decided + max(self.weights.delays) + 1 - start)
                    if fresh.shape[2]:
                        taken = decided
                        yield fresh
            before += steps - start
            with torch.inference_mode():
                whole = decoder.frames(0, frames).index_select(0, back)
            given = whole[:, :, self._stride(request) :].cpu()

    def make(
        self,
        clips: Sequence[Clip],
        request: Request,
        *,
        on_steps: Callable[[int], None] | None = None,
        on_sound: Callable[[int, Sound], None] | None = None,
    ) -> list[Sound]:
        """The sound `[channels, samples]` of each clip, with what was given.

        `on_sound` hears each piece of a clip as soon as it is decoded, in another thread.
        """
        decoders = [codecs.PiecewiseDecoder(self._codec) for _clip in clips]
        sounds: list[list[Sound]] = [[] for _clip in clips]
        given = request.given

        # Beside the language model, and not in its way.
        threads = max(1, backend.usable_threads() - self._threads())

        def decode(codes: Tensor, last: bool) -> None:
            with torch.inference_mode(), backend.threads(threads):
                for place, decoder in enumerate(decoders):
                    piece = decoder.decode(codes[place], last=last).numpy()
                    sounds[place].append(piece)
                    if on_sound is not None and piece.shape[1]:
                        on_sound(place, piece)

        ready = 0
        heap: list[Tensor] = []
        with ThreadPoolExecutor(1) as pool:
            waiting: list[Future[None]] = []
            if given is not None:
                ready = given.shape[1]
                heap.append(given.to(self.device).expand(len(clips), -1, -1))
            for codes in self.tokens(clips, request, on_steps):
                heap.append(codes)
                ready += codes.shape[2]
                last = ready == request.frames
                if last or sum(one.shape[2] for one in heap) >= PIECE_SECONDS * self.frame_rate:
                    waiting.append(pool.submit(decode, torch.cat(heap, dim=2), last))
                    heap.clear()
            for one in waiting:
                one.result()
        return [np.concatenate(pieces, axis=1) for pieces in sounds]

    @property
    def _block(self) -> int:
        """Steps until the host looks again: half a second of music, or each one that takes long."""
        slow = self.device.type == "cpu" and self._threads() > 1
        return 1 if slow else max(1, round(self.frame_rate / 2))

    def _threads(self) -> int:
        return backend.decoding_threads(self.weights.parameters_a_step)

    def _stride(self, request: Request) -> int:
        return request.stride or max(1, round(self.span * 0.6))

    def _windows(self, request: Request) -> Iterator[tuple[int, int, int]]:
        """First frame, frames and given frames of each window (audiocraft's `GenModel._generate_tokens`)."""
        first, given = 0, 0 if request.given is None else request.given.shape[1]
        stride = self._stride(request)
        while first + given < request.frames:
            frames = min(request.frames - first, self.span)
            yield first, frames, given
            first, given = first + stride, max(0, frames - stride)

    def _given(self, clips: Sequence[Clip], request: Request) -> Tensor:
        if request.given is None:
            return torch.zeros((len(clips), self.weights.codebooks, 0), dtype=torch.long)
        return request.given.cpu().expand(len(clips), -1, -1)

    def _condition(
        self,
        clip: Clip,
        window: int,
        first: int,
        request: Request,
        known: dict[tuple[str, int, int], Condition],
    ) -> Condition:
        prompt = clip.prompts[min(window, len(clip.prompts) - 1)]
        melody, key = clip.melody, (prompt, id(clip.melody), 0 if clip.melody is None else first)
        if key not in known:
            if melody is not None and request.frames > self.span:
                melody = melody_window(melody, first * self.hop, self.span * self.hop)
            known[key] = condition_of(self._lm, prompt, melody)
        return known[key]
