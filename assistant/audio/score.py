"""What a MIDI file says about its own music: tempo, key, metre and instruments."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from assistant.audio.instruments import INSTRUMENTS
from assistant.audio.key import PITCHES, key_of_profile
from assistant.audio.midi import Performance
from assistant.audio.synthesizer import Note

_DEFAULT_TEMPO = 120.0  # of the format
_SCALES = (np.array([0, 2, 4, 5, 7, 9, 11]), np.array([0, 2, 3, 5, 7, 8, 10]))  # major, natural minor
_FITS = 0.85
"""Least share of the sounding time in a signature's scale; a harmonic minor has some 0.9."""


def score_facts(
    performance: Performance, notes: Iterable[Note], end: float, rate: int
) -> dict[str, dict[str, Any]]:
    """Facts (value, source, confidence) of what a MIDI file plays.

    The lengths of `notes` are in samples at `rate`, `end` is in seconds. A tempo, a metre and a key of
    the file have the source "file"; a key that was guessed has "notes". Instruments are those that sound
    for 3 % of the time at least, the most heard first.
    """
    shares: dict[str, float] = {}
    profile = np.zeros(12)
    count = 0
    for note in notes:
        count += 1
        seconds = note.length / rate
        if note.drums:
            shares["drums"] = shares.get("drums", 0.0) + min(seconds, 0.2)
            continue
        name = INSTRUMENTS[note.program]
        shares[name] = shares.get(name, 0.0) + seconds
        if name != "sound effects":
            profile[note.key % 12] += seconds
    total = sum(shares.values())
    ranked = [name for name in sorted(shares, key=lambda name: -shares[name]) if shares[name] >= 0.03 * total]
    facts = {
        "instruments": _of_file(ranked),
        "notes_per_second": _of_file(round(count / end, 2)),
    }
    if performance.in_beats:
        facts["bpm"] = _of_file(round(_tempo(performance), 1), 1.0 if performance.tempos else 0.5)
    meter = _meter(performance)
    if meter:
        facts["meter"] = _of_file(meter)
    key = _key(performance, profile)
    if key is not None:
        facts["key"] = key
    return facts


def _of_file(value: Any, confidence: float = 1.0) -> dict[str, Any]:
    return {"value": value, "source": "file", "confidence": confidence}


def _tempo(performance: Performance) -> float:
    """The tempo in force for the longest time, in quarters a minute."""
    spans: dict[float, float] = {}
    changes = [(0.0, _DEFAULT_TEMPO), *performance.tempos, (performance.end, 0.0)]
    for (start, qpm), (end, _next) in itertools.pairwise(changes):
        spans[round(qpm, 1)] = spans.get(round(qpm, 1), 0.0) + end - start
    return max(spans, key=lambda qpm: spans[qpm])


def _meter(performance: Performance) -> str:
    """The metre where the piece has one only, as "3/4"; otherwise empty."""
    meters = set(performance.meters)
    return "{}/{}".format(*next(iter(meters))) if len(meters) == 1 else ""


def _key(performance: Performance, profile: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    """The key signature in force for the longest time, or the key that the notes suggest.

    Programs write C major where nobody chose a key, so that one counts only where the notes agree; any
    other counts unless many notes lie outside of its scale.
    """
    heard = key_of_profile(profile)
    guess = heard and {"value": heard[0], "source": "notes", "confidence": round(heard[1], 3)}
    spans: dict[tuple[int, int], float] = {}
    for (start, fifths, minor), (end, *_next) in itertools.pairwise(
        [*performance.keys, (performance.end, 0, 0)]
    ):
        if -7 <= fifths <= 7 and minor in (0, 1):
            spans[fifths, minor] = spans.get((fifths, minor), 0.0) + end - start
    if not spans or profile.sum() <= 0:
        return guess
    fifths, minor = max(spans, key=lambda signature: spans[signature])
    tonic = (7 * fifths + 9 * minor) % 12
    name = f"{PITCHES[tonic]} {('major', 'minor')[minor]}"
    if heard is not None and heard[0] == name:
        return _of_file(name)
    habit = (fifths, minor) == (0, 0)
    fit = profile[(tonic + _SCALES[minor]) % 12].sum() / profile.sum()
    return guess if habit or fit < _FITS else _of_file(name, round(float(fit), 3))
