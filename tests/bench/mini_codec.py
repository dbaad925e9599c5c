"""What mini's codec and language model are worth on composed pieces that training never saw."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.musicgen.blueprint import SAMPLE_RATE
from assistant.musicgen.mini.captions import caption
from assistant.musicgen.mini.data import Made, composed, render
from assistant.symbolic.compose import GENRES, compose
from tests.bench.results import table

Audio = NDArray[np.float32]

SECONDS = 10.0


@dataclass(frozen=True)
class Excerpt:
    """Ten seconds of a composed piece, from a bar on."""

    made: Made
    audio: Audio


def excerpts(first_seed: int, each: int) -> list[Excerpt]:
    """Of every genre `each`."""
    length = round(SECONDS * SAMPLE_RATE)
    found = []
    for genre in GENRES:
        for number in range(each):
            piece = compose(genre, first_seed + number, 20.0)
            audio = render(piece)
            made = composed(piece, first_seed + number, 0, len(audio))
            bars = [bar for bar in made.bars if bar + length <= len(audio)] or [0]
            start = bars[number % len(bars)]
            found.append(Excerpt(made, audio[start : start + length]))
    return found


def codec_table(codec: Any, pieces: Sequence[Excerpt]) -> str:
    """The codec on excerpts, beside controls that bound it."""
    import torch

    from assistant.musicgen.mini.losses import Distance

    distance = Distance(SAMPLE_RATE, torch.device("cpu"))
    rows: dict[str, list[tuple[float, float]]] = {}

    def note(name: str, made: Audio, true: Audio) -> None:
        spectral, _waveform = distance(torch.from_numpy(made)[None], torch.from_numpy(true)[None])
        rows.setdefault(name, []).append((float(spectral), si_sdr(made, true)))

    decoded = [round_trip(codec, one.audio) for one in pieces]
    noise = np.random.default_rng(0)
    for number, one in enumerate(pieces):
        note("mini's codec, 1.8 kbit/s", decoded[number], one.audio)
        for rate in (6, 12):
            note(f"Opus, {rate} kbit/s", opus(one.audio, rate), one.audio)
        note("mini's codec, another piece's codes", decoded[number - 1], one.audio)
        level = float(np.sqrt(np.mean(one.audio**2)))
        note("noise of its loudness", noise.normal(0, level, len(one.audio)).astype(np.float32), one.audio)
        note("silence", np.zeros_like(one.audio), one.audio)
    return table(
        ("", "log-mel distance", "SI-SDR, dB"),
        [
            (name, f"{np.mean([d for d, _s in got]):.3f}", f"{np.mean([s for _d, s in got]):.1f}")
            for name, got in rows.items()
        ],
    )


def round_trip(codec: Any, audio: Audio) -> Audio:
    """What the codec makes of audio, as long as it was."""
    import torch

    with torch.inference_mode():
        codes, _scale = codec.encode(torch.from_numpy(audio)[None, None])
        decoded: Audio = codec.decode(codes)[0, 0].numpy()
    return np.pad(decoded, (0, max(0, len(audio) - len(decoded))))[: len(audio)]


def opus(audio: Audio, kilobits: int) -> Audio:
    """A round trip through libopus, aligned with the original."""
    import av
    import soxr

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.opus"
        with av.open(str(path), "w") as file:
            stream = file.add_stream("libopus", rate=48_000, layout="mono", options={"b": f"{kilobits}k"})
            wide = soxr.resample(audio, SAMPLE_RATE, 48_000).astype(np.float32)
            for start in range(0, len(wide), 960):
                block = np.pad(wide[start : start + 960], (0, max(0, start + 960 - len(wide))))
                frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
                frame.sample_rate = 48_000
                frame.pts = start
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        with av.open(str(path)) as file:
            blocks = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
    back = soxr.resample(np.concatenate(blocks).astype(np.float32), 48_000, SAMPLE_RATE)
    back = np.pad(back, (0, max(0, len(audio) - len(back))))[: len(audio)].astype(np.float32)
    return np.asarray(back, np.float32)


def si_sdr(made: Audio, true: Audio) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019, arXiv:1811.02508)."""
    a, b = made - made.mean(), true - true.mean()
    target = b * (np.dot(a, b) / (np.dot(b, b) + 1e-12))
    return float(10 * np.log10((np.sum(target**2) + 1e-9) / (np.sum((a - target) ** 2) + 1e-9)))


def loss_table(lm: Any, codec: Any, pieces: Sequence[Excerpt]) -> str:
    """The loss of each codebook on excerpts, with captions and without, beside what needs no model."""
    import torch

    from assistant.musicgen.conditions import Conditions
    from assistant.musicgen.forward import hidden_states
    from assistant.musicgen.loss import count_targets, delayed, delays_of, head_losses, scales_of

    chance = random.Random(0)
    conditions = Conditions(lm)
    sums = {
        name: np.zeros(lm.n_q) for name in ("captions of the pieces", "captions of others", "no captions")
    }
    total = np.zeros(lm.n_q)
    counts = np.ones((lm.n_q, lm.card))
    texts = [caption(one.made, chance) for one in pieces]
    for number, one in enumerate(pieces):
        with torch.inference_mode():
            codes = codec.encode(torch.from_numpy(one.audio)[None, None])[0]
            read, targets = delayed(codes, delays_of(lm), lm.special_token_id)
            present = count_targets(codes, delays_of(lm), lm.special_token_id)
            total += present.numpy()
            for codebook in range(lm.n_q):
                counts[codebook] += np.bincount(codes[0, codebook].numpy(), minlength=lm.card)
            said: tuple[str | None, ...] = (texts[number], texts[number - len(pieces) // 2], None)
            for name, text in zip(sums, said, strict=True):
                tensors, mask = conditions.tensors([text])
                hidden = hidden_states(lm, read, tensors, mask=mask)
                sums[name] += head_losses(lm, hidden, targets, scales_of(present))[1].numpy()
    shares = counts / counts.sum(axis=1, keepdims=True)
    rows = [(name, *_nats(value / total)) for name, value in sums.items()]
    rows.append(("how often each code comes", *_nats(-(shares * np.log(shares)).sum(axis=1))))
    rows.append(("all codes alike", *_nats(np.full(lm.n_q, math.log(lm.card)))))
    return table(("", "mean", *(f"codebook {number + 1}" for number in range(lm.n_q))), rows)


def _nats(values: NDArray[np.float64]) -> list[str]:
    return [f"{value:.2f}" for value in (values.mean(), *values)]
