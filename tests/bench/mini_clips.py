"""Whether clips of mini are music, of the genre and at the tempo that were asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.spectrum import spectrogram
from assistant.audio.tempo import onset_rate, onset_strength, tempo_of_onsets
from assistant.musicgen.blueprint import SAMPLE_RATE
from assistant.symbolic.compose import GENRES
from tests.bench.mini_codec import SECONDS, Audio, Excerpt, excerpts, round_trip
from tests.bench.results import table

JUDGE_SEEDS, TEST_SEEDS = 30_000_000, 40_000_000
PROMPTS = ("{genre}", "a {genre} track", "{genre} music", "an instrumental {genre} tune")
NAMES = {"hiphop": "hip-hop"}
TEMPOS = (70, 90, 100, 110, 120, 130, 140, 160)
_HEARD_RATE = 22_050


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
