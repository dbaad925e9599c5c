"""EnCodec in pieces: the first second of sound while the language model goes on, and all of it the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def fold_norms(codec: nn.Module) -> None:
    """Make weight norms part of the weights for good, where they would be computed again in each call."""
    from torch.nn.utils import parametrize, remove_weight_norm

    for module in list(codec.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
        elif hasattr(module, "weight_g"):
            remove_weight_norm(module)


class PiecewiseDecoder:
    """Decodes the tokens of one clip as they come.

    The convolutions before and after the recurrent layers hear a few frames on both sides, which are
    kept back until they are there; the recurrent state is carried on. What comes out is the whole
    decode but for rounding. A codec that is built in another way is decoded at the end.
    """

    def __init__(self, codec: Any) -> None:
        self._codec = codec
        channels = _single_channels(codec)
        self._stages = [_stages(codec.model if channels == 2 else codec) for _side in range(channels)]
        self._kept: list[Tensor] = []

    def decode(self, codes: Tensor, *, last: bool) -> Tensor:
        """Samples `[channels, samples]` that the next tokens `[codebooks, frames]` decide; `last` gives the
        rest. May be empty."""
        if any(stages is None for stages in self._stages):
            self._kept.append(codes)
            if not last:
                return torch.zeros((self._codec.channels, 0))
            whole: Tensor = self._codec.decode(torch.cat(self._kept, dim=1)[None])[0]
            return whole.float().cpu()
        sides = self._codec.get_left_right_codes(codes[None]) if len(self._stages) == 2 else (codes[None],)
        model = self._codec.model if len(self._stages) == 2 else self._codec
        sounds = []
        for stages, side in zip(self._stages, sides, strict=True):
            assert stages is not None
            x = model.decode_latent(side)
            for stage in stages:
                x = stage(x, last)
            sounds.append(x[0].float().cpu())
        return torch.cat(sounds)


def encode(codec: Any, sounds: Sequence[Tensor]) -> list[Tensor]:
    """Tokens `[codebooks, frames]` of each sound `[channels, samples]`. Those of equal length go through the
    codec together; others cannot, for it hears the silence that would fill up the shorter ones."""
    found: dict[int, Tensor] = {}
    for length in {sound.shape[1] for sound in sounds}:
        places = [place for place, sound in enumerate(sounds) if sound.shape[1] == length]
        codes, scale = codec.encode(torch.stack([sounds[place] for place in places]))
        assert scale is None or all(one is None for one in scale)
        found |= dict(zip(places, codes, strict=True))
    return [found[place] for place in range(len(sounds))]


class _Sliding:
    """A stack of convolutions over a stream; holds back what later frames still change."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modules = list(modules)
        self._reach, self._scale = _reach(self._modules)
        self._heard: Tensor | None = None
        self._before = 0  # frames of `_heard` that have been given out

    def __call__(self, x: Tensor, last: bool) -> Tensor:
        heard = x if self._heard is None else torch.cat([self._heard, x], dim=2)
        end = heard.shape[2] if last else max(self._before, heard.shape[2] - self._reach)
        y = heard
        if end > self._before:
            for module in self._modules:
                y = module(y)
            y = y[:, :, self._before * self._scale : end * self._scale]
        else:
            y = heard[:, :, :0] if not self._modules else self._nothing(heard)
        first = max(0, end - self._reach)
        self._heard, self._before = heard[:, :, first:], end - first
        return y

    def _nothing(self, like: Tensor) -> Tensor:
        convolutions = _convolutions(self._modules)
        channels = convolutions[-1].out_channels if convolutions else like.shape[1]
        return like.new_zeros((like.shape[0], channels, 0))


class _Recurrent:
    """The recurrent layers over a stream."""

    def __init__(self, lstm: nn.LSTM, skip: bool) -> None:
        self._lstm, self._skip = lstm, skip
        self._state: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor, last: bool) -> Tensor:
        if not x.shape[2]:
            return x
        x = x.permute(2, 0, 1)
        y, self._state = self._lstm(x, self._state)
        whole: Tensor = y + x if self._skip else y
        return whole.permute(1, 2, 0)


_Stage = Callable[[Tensor, bool], Tensor]


def _single_channels(codec: Any) -> int:
    """2 for audiocraft's codec that keeps the sides of stereo apart, else 1."""
    apart = hasattr(codec, "get_left_right_codes") and not codec.per_timestep
    return 2 if apart else 1


def _stages(codec: Any) -> list[_Stage] | None:
    """The decoder of audiocraft's or transformers' EnCodec, cut at its recurrent layers; None for another."""
    inner = getattr(codec, "model", codec)  # transformers' codec is wrapped
    decoder = getattr(inner, "decoder", None)
    modules = getattr(decoder, "layers", getattr(decoder, "model", None))
    grouped = any(isinstance(one, nn.GroupNorm) for one in getattr(decoder, "modules", list)())
    whole = getattr(codec, "renormalize", False) or getattr(
        getattr(inner, "config", None), "chunk_length", None
    )
    if modules is None or not hasattr(modules, "__iter__") or grouped or whole:
        return None
    stages: list[_Stage] = []
    waiting: list[nn.Module] = []
    for module in modules:
        lstm = getattr(module, "lstm", None)
        if lstm is None:
            waiting.append(module)
            continue
        stages += [_Sliding(waiting), _Recurrent(lstm, getattr(module, "skip", True))]
        waiting = []
    return [*stages, _Sliding(waiting)]


def _reach(modules: Iterable[nn.Module]) -> tuple[int, int]:
    """How many frames on either side an output depends on, at most, and samples to a frame."""
    reach, scale = 0.0, 1
    for one in _convolutions(modules):
        if isinstance(one, nn.ConvTranspose1d):
            reach += one.kernel_size[0] / one.stride[0] / scale
            scale *= one.stride[0]
        else:
            reach += (one.kernel_size[0] - 1) * one.dilation[0] / scale
    return math.ceil(reach), scale


def _convolutions(modules: Iterable[nn.Module]) -> list[nn.Conv1d | nn.ConvTranspose1d]:
    every = [one for module in modules for one in module.modules()]
    return [one for one in every if isinstance(one, nn.Conv1d | nn.ConvTranspose1d)]
