"""How good the built-in model is: its codec, its loss, and whether its clips are of the genre that was asked.

    uv run python tests/bench/mini.py [--write] [--clips N] [--model FOLDER] [--keep FOLDER]

All pieces that are measured on are composed from seeds that training never saw. The judge of genres is a
logistic regression on the features of our classifier, fitted to such pieces after a round trip through the
codec, so that it knows the codec's sound; how often it is right about other true pieces stands beside
its verdict on the clips. It judges twice: by MFCCs alone, and with musicnn's features, which were learnt
from recordings. Prompts name the genre and nothing that would give it away. `--keep` writes the clips.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile
from numpy.typing import NDArray

from assistant.audio.spectrum import spectrogram
from assistant.audio.tempo import onset_rate, onset_strength, tempo_of_onsets
from assistant.library.library import LibraryPaths, create_library
from assistant.musicgen import backend
from assistant.musicgen.blueprint import SAMPLE_RATE
from assistant.musicgen.mini.captions import caption
from assistant.musicgen.mini.data import Made, composed, render
from assistant.musicgen.models import MINI_FOLDER, model_folder
from assistant.symbolic.compose import GENRES, compose
from tests.bench.results import save, table

Audio = NDArray[np.float32]

SECONDS = 10.0
JUDGE_SEEDS, TEST_SEEDS = 30_000_000, 40_000_000
PROMPTS = ("{genre}", "a {genre} track", "{genre} music", "an instrumental {genre} tune")
NAMES = {"hiphop": "hip-hop"}
TEMPOS = (70, 90, 100, 110, 120, 130, 140, 160)
_HEARD_RATE = 22_050


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


def make_clips(engine: Any, each: int, cfg: float) -> dict[str, list[Audio]]:
    """Clips of ten seconds, `each` of every genre."""
    return {
        genre: sounds(
            engine,
            [PROMPTS[number % len(PROMPTS)].format(genre=NAMES.get(genre, genre)) for number in range(each)],
            1000 * place,
            cfg,
        )
        for place, genre in enumerate(GENRES)
    }


def sounds(engine: Any, prompts: Sequence[str], seed: int, cfg: float) -> list[Audio]:
    """A clip of each prompt."""
    from assistant.musicgen.engine.engine import MOST_AT_ONCE, Clip, Request
    from assistant.musicgen.engine.sampler import Sampling

    request = Request(round(SECONDS * engine.frame_rate), sampling=Sampling(guidance=cfg))
    clips = [Clip(seed + number, (prompt,)) for number, prompt in enumerate(prompts)]
    made: list[Audio] = []
    for first in range(0, len(clips), MOST_AT_ONCE):
        made += [sound[0] for sound in engine.make(clips[first : first + MOST_AT_ONCE], request)]
    return made


def heard(audios: Sequence[Audio]) -> NDArray[np.float32]:
    """The classifier's features of each sound, averaged over its segments of three seconds."""
    import soxr

    from assistant.classify.heard import hear

    rows = []
    for audio in audios:
        samples = soxr.resample(audio, SAMPLE_RATE, _HEARD_RATE).astype(np.float32)
        length = 3 * _HEARD_RATE
        rows.append(
            np.mean(hear(samples[i : i + length] for i in range(0, len(samples) - length + 1, length)), 0)
        )
    return np.stack(rows)


def genre_table(codec: Any, clips: dict[str, list[Audio]], judge_each: int, test_each: int) -> str:
    """What the judge says of true pieces and of clips."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from assistant.classify.heard import COLOUR

    learnt, tests = excerpts(JUDGE_SEEDS, judge_each), excerpts(TEST_SEEDS, test_each)
    x = heard([round_trip(codec, one.audio) for one in learnt])
    y = [one.made.genre for one in learnt]
    tested = heard([one.audio for one in tests])
    passed = heard([round_trip(codec, one.audio) for one in tests])
    truth = np.array([one.made.genre for one in tests])
    made = {genre: heard(audios) for genre, audios in clips.items()}
    columns: list[tuple[str, Any]] = [
        ("MFCC", slice(-COLOUR, None)),
        ("musicnn and MFCC", slice(None)),
    ]
    rows: dict[str, list[str]] = {genre: [] for genre in (*GENRES, "all")}
    majorities = []
    for _name, part in columns:
        judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=2000))
        judge.fit(x[:, part], y)
        on_true, on_passed = judge.predict(tested[:, part]), judge.predict(passed[:, part])
        right = {genre: judge.predict(made[genre][:, part]) for genre in GENRES}
        for genre in GENRES:
            ours = truth == genre
            hits = int((right[genre] == genre).sum())
            names, counts = np.unique(right[genre], return_counts=True)
            most = names[counts.argmax()]
            rows[genre] += [
                f"{(on_true[ours] == genre).mean():.0%}",
                f"{(on_passed[ours] == genre).mean():.0%}",
                f"{hits} of {len(right[genre])}" + ("" if most == genre else f" (mostly {most})"),
            ]
        share = np.mean([(right[genre] == genre).mean() for genre in GENRES])
        rows["all"] += [
            f"{(on_true == truth).mean():.0%}",
            f"{(on_passed == truth).mean():.0%}",
            f"{share:.0%}",
        ]
        majorities.append(sum(2 * (right[genre] == genre).sum() > len(right[genre]) for genre in GENRES))
    headers = ["genre"]
    for name, _part in columns:
        headers += [f"{name}: true pieces", "after the codec", "clips"]
    told = ", ".join(
        f"{count} of {len(GENRES)} by {name}"
        for (name, _part), count in zip(columns, majorities, strict=True)
    )
    return (
        table(headers, [(genre, *cells) for genre, cells in rows.items()])
        + f"\nGenres right in the majority of their clips: {told}; chance is one in ten.\n"
    )


def sound_table(clips: dict[str, list[Audio]], pieces: Sequence[Excerpt]) -> str:
    """Level, silence, clipping, onsets and change of the clips, beside true pieces."""
    rows = []
    groups = {genre: clips[genre] for genre in GENRES}
    groups["all clips"] = [audio for audios in clips.values() for audio in audios]
    groups["true pieces"] = [one.audio for one in pieces]
    for name, audios in groups.items():
        facts = np.array([_facts(audio) for audio in audios])
        rms, peak, silent, clipped, onsets, change = facts.mean(axis=0)
        lowest = facts[:, 0].min()
        rows.append(
            (
                name,
                f"{rms:.1f} ({lowest:.1f})",
                f"{peak:.2f}",
                f"{silent:.1%}",
                f"{clipped:.3%}",
                f"{onsets:.1f}",
                f"{change:.2f}",
            )
        )
    return table(
        (
            "",
            "dBFS (lowest)",
            "peak",
            "silent time",
            "samples at full scale",
            "onsets a second",
            "change of spectrum",
        ),
        rows,
    )


def _facts(audio: Audio) -> tuple[float, ...]:
    import soxr

    blocks = audio[: len(audio) // 1600 * 1600].reshape(-1, 1600)
    levels = np.sqrt(np.mean(blocks**2, axis=1))
    spectra, _tonal = spectrogram(soxr.resample(audio, SAMPLE_RATE, _HEARD_RATE).astype(np.float32))
    strength, _rise = onset_strength(spectra)
    shape = np.log(spectra + 1e-3 * spectra.max())
    return (
        20 * math.log10(max(1e-9, float(np.sqrt(np.mean(audio**2))))),
        float(np.abs(audio).max()),
        float((levels < 1e-3).mean()),
        float((np.abs(audio) >= 0.999).mean()),
        onset_rate(strength),
        # How far the spectrum of a second is from that of the next: a steady hum has none.
        float(np.abs(np.diff(shape[::21], axis=0)).mean()),
    )


def tempo_table(engine: Any, each: int, cfg: float) -> str:
    """The tempo that is measured in clips, for tempos that were asked; an octave off counts as right."""
    import soxr

    rows = []
    for bpm in TEMPOS:
        found = []
        for audio in sounds(engine, [f"a rock track at {bpm} bpm with drums"] * each, 100 * bpm, cfg):
            samples = soxr.resample(audio, SAMPLE_RATE, _HEARD_RATE).astype(np.float32)
            found.append(tempo_of_onsets(*onset_strength(spectrogram(samples)[0]))[0] or 0.0)
        right = [
            min(abs(math.log2(max(one, 1) / bpm * k)) for k in (0.5, 1, 2)) < math.log2(1.04) for one in found
        ]
        rows.append((bpm, " ".join(f"{one:.0f}" for one in found), f"{sum(right)} of {each}"))
    return table(("asked, BPM", "measured", "within 4 %"), rows)


def speed_table(model: str) -> str:
    """Seconds for a clip of ten seconds, through the process that the command line uses."""
    from assistant.musicgen.spec import GenerateSpec
    from assistant.serving.client import Generator

    rows = []
    with tempfile.TemporaryDirectory() as folder, create_library(Path(folder) / "library") as library:
        spec = GenerateSpec.from_settings(
            library.settings, model=model, prompt="a slow blues", duration=SECONDS, seed=1
        ).check()
        with Generator(library) as generator:
            for name in ("first clip, with loading", "next clip", "next clip"):
                began = time.monotonic()
                generator.generate(spec)
                rows.append((name, f"{time.monotonic() - began:.1f}"))
    return table(("10 s of sound", "seconds"), rows)


def main() -> None:
    """Measure, print, and with --write put the tables into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--clips", type=int, default=20, help="of each genre")
    parser.add_argument(
        "--judge", type=int, default=25, help="pieces of each genre that the judge learns from"
    )
    parser.add_argument("--cfg", type=float, default=3.0)
    parser.add_argument("--model", default=str(MINI_FOLDER), help="name or folder")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()

    backend.prepare()
    import torch

    from assistant.musicgen.loading import load, load_codec, load_lm

    torch.set_num_threads(backend.usable_threads())
    cpu, folder = torch.device("cpu"), model_folder(given.model, LibraryPaths(Path()))
    codec = load_codec(given.model, folder, cpu)
    pieces = excerpts(TEST_SEEDS, 3)
    parts = ["Codec, 30 excerpts of 10 s:", codec_table(codec, pieces)]
    print(parts[-1], flush=True)
    lm = load_lm(given.model, folder, cpu, torch.float32)
    parts += ["Loss in nats on the same excerpts:", loss_table(lm, codec, pieces)]
    print(parts[-1], flush=True)
    parts += ["Time on this machine:", speed_table(given.model)]
    print(parts[-1], flush=True)
    engine = load(given.model, LibraryPaths(Path()), "cpu", "float32")
    clips = make_clips(engine, given.clips, given.cfg)
    parts += ["The clips as sound:", sound_table(clips, pieces)]
    print(parts[-1], flush=True)
    parts += ["Tempo:", tempo_table(engine, 4, given.cfg)]
    print(parts[-1], flush=True)
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
        for genre, audios in clips.items():
            for number, audio in enumerate(audios):
                soundfile.write(given.keep / f"{genre}-{number:02}.wav", audio, SAMPLE_RATE)
    parts += ["Genre:", genre_table(codec, clips, given.judge, 10)]
    print(parts[-1], flush=True)
    if given.write:
        save("The built-in model", "\n\n".join(parts))


if __name__ == "__main__":
    main()
