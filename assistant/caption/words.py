"""Measured facts in a captioner's English: what is said is known, and what is not known is left out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

SURE_TEMPO = 0.25
"""Least clearness of a tempo found in sound."""
SURE_KEY = {"sound": 0.08, "notes": 0.03}
"""Least lead of a key over the next unrelated one, by where it comes from."""
_MOST_INSTRUMENTS = 5
_TEMPO_WORDS = ((60, "very slow"), (80, "slow"), (100, "relaxed"), (116, "mid-tempo"), (136, "upbeat"),
                (165, "fast"), (1000, "very fast"))  # fmt: skip
_GENRES = {"hiphop": "hip-hop", "rnb": "R&B", "dnb": "drum and bass"}


def known_bpm(facts: Mapping[str, Any]) -> float | None:
    """The tempo where it is sure enough to be written down."""
    bpm = facts.get("bpm")
    if bpm is None or (facts.get("bpm_source") == "sound" and facts.get("bpm_confidence", 0) < SURE_TEMPO):
        return None
    return float(bpm)


def known_key(facts: Mapping[str, Any]) -> str | None:
    """The key where it is sure enough, as "A minor"."""
    key = facts.get("key")
    if key is None or facts.get("key_confidence", 0) < SURE_KEY[facts.get("key_source", "sound")]:
        return None
    return str(key)


def genre_words(genre: str | None) -> str:
    """A genre folder's name as one writes it; empty for none."""
    if not genre:
        return ""
    return _GENRES.get(genre, genre.replace("_", " "))


def tempo_word(bpm: float) -> str:
    """A word for a tempo."""
    return next(word for limit, word in _TEMPO_WORDS if bpm < limit) if bpm < 1000 else "very fast"


def moods(facts: Mapping[str, Any]) -> list[str]:
    """Moods that several measurements agree on; mostly none."""
    bpm, loudness, onsets = known_bpm(facts), facts.get("loudness"), facts.get("onsets")
    if bpm is None or loudness is None or onsets is None:
        return []
    if bpm >= 116 and onsets >= 3 and loudness > -16:
        return ["energetic"]
    if bpm < 90 and onsets < 2 and loudness < -16:
        return ["calm"]
    return []


def keywords(facts: Mapping[str, Any]) -> list[str]:
    """Short words for tempo, colour, rhythm and dynamics."""
    found = []
    bpm = known_bpm(facts)
    if bpm is not None:
        found.append(tempo_word(bpm))
    found += [word for word, _phrase in _qualities(facts)]
    return found


def describe(facts: Mapping[str, Any], genre: str | None, content: str) -> str:
    """One or two sentences about a track, fit to condition MusicGen on.

    The same facts are put in one of several ways, chosen by the content hash, so that a model does not
    learn one form of words.
    """
    form = hashlib.blake2b(content.encode(), digest_size=1).digest()[0]
    bpm, key = known_bpm(facts), known_key(facts)
    players = list(facts.get("instruments", ()))[:_MOST_INSTRUMENTS]
    phrases = [phrase for _word, phrase in _qualities(facts)]
    instruments, qualities = _listed(players), _listed(phrases)
    name = genre_words(genre)
    feeling = [*moods(facts)[:1], *([tempo_word(bpm)] if bpm is not None else [])]
    kind = f"{name} {('track', 'piece', 'tune')[form % 3]}" if name else ("piece of music", "track")[form % 2]
    subject = _with_article(" ".join([", ".join(feeling), kind]).strip())
    beats = "" if bpm is None else f"at {'' if facts.get('bpm_source') == 'file' else 'about '}{bpm:.0f} BPM"
    meter = f"in {facts['meter']} time" if facts.get("meter") not in ("", None, "4/4") else ""
    in_key = f"in {key}" if key else ""

    def joined(*parts: str) -> str:
        return " ".join(part for part in parts if part)

    order = form // 6 % 3
    if order == 0:
        text = joined(subject, in_key, beats, meter, f"with {instruments}" if instruments else "") + "."
        rest = f"It has {qualities}." if qualities else ""
    elif order == 1:
        text = joined(subject, f"played on {instruments}" if instruments else "", beats, in_key, meter) + "."
        rest = f"It has {qualities}." if qualities else ""
    else:
        text = joined(subject, f"with {_listed([*players, *phrases])}" if players or phrases else "") + "."
        place = joined(in_key, beats, meter)
        rest = f"It is {place}." if place else ""
    return joined(text[0].upper() + text[1:], rest)


def _qualities(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a keyword and a phrase that follows "it has"."""
    found = []
    brightness, onsets, spread = facts.get("brightness"), facts.get("onsets"), facts.get("spread")
    if brightness is not None:
        if brightness < 600:
            found.append(("dark sound", "a dark sound"))
        elif brightness < 900:
            found.append(("warm sound", "a warm sound"))
        elif brightness > 2400:
            found.append(("bright sound", "a bright sound"))
    if onsets is not None:
        if onsets > 5:
            found.append(("busy rhythm", "a busy rhythm"))
        elif facts.get("bpm_source") and facts.get("bpm_confidence", 0) > 0.6:
            found.append(("steady beat", "a steady beat"))
        elif onsets < 1:
            found.append(("sparse", "few, long notes"))
    if spread is not None and spread > 10:
        found.append(("wide dynamics", "wide dynamics from quiet to loud"))
    return found


def _listed(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _with_article(words: str) -> str:
    return f"{'an' if words[0].lower() in 'aeio' or words.startswith('up') else 'a'} {words}"
