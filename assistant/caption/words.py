"""Facts in a captioner's English: what is said is known, and what is not known is left out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.caption.facts import Facts, confidence, source, value
from assistant.caption.templates import FORMS, fill

SURE_TEMPO = 0.35
"""Least clearness of a tempo found in sound."""
SURE_KEY = {"sound": 0.05, "notes": 0.03}
"""Least lead of a key over the next unrelated one, by where it comes from."""
_MOST_INSTRUMENTS = 5
_TEMPO_WORDS = ((60, "very slow"), (80, "slow"), (100, "relaxed"), (116, "mid-tempo"), (136, "upbeat"),
                (165, "fast"), (1000, "very fast"))  # fmt: skip
_GENRES = {"hiphop": "hip-hop", "rnb": "R&B", "dnb": "drum and bass"}
_VOWEL_SOUND = re.compile(
    r"[aio8]|e(?!u)|u(?!k|ni|s|t)|(?-i:[FHLMNRSX][B-DF-HJ-NP-TV-Z&0-9]+\b)", re.IGNORECASE
)
"""At the beginning of what takes "an": "euro" and "uk" do not, "R&B" does."""
_COUNTED = ("female voice", "male voice", "choir", "synthesizer", "flute")  # "a flute", but "drums"


@dataclass(frozen=True)
class Known:
    """Everything that is known about a track when its caption is written."""

    facts: Facts
    genre: str | None = None
    """The genre's folder name; None where it is not known."""
    title: str = ""
    artist: str = ""
    album: str = ""
    duration: float = 0.0
    tags: Mapping[str, str] = field(default_factory=dict)
    content: str = ""
    """The hash of the file's bytes."""


def known_bpm(facts: Facts) -> float | None:
    """The tempo where it is sure enough to be written down."""
    bpm = value(facts, "bpm")
    if bpm is None or (source(facts, "bpm") == "sound" and confidence(facts, "bpm") < SURE_TEMPO):
        return None
    return float(bpm)


def known_key(facts: Facts) -> str | None:
    """The key where it is sure enough, as "A minor"."""
    if "key" not in facts or confidence(facts, "key") < SURE_KEY.get(source(facts, "key"), 0.0):
        return None
    return str(value(facts, "key"))


def known_players(facts: Facts) -> list[str]:
    """The instruments that a score names, the most heard first."""
    return [str(name) for name in value(facts, "instruments", ())]


def likely_players(facts: Facts) -> list[str]:
    """What the networks probably hear playing and singing, where no score tells."""
    if known_players(facts):
        return []
    return [str(name) for kind in ("likely_instruments", "likely_voice") for name in value(facts, kind, ())]


def genre_words(genre: str | None) -> str:
    """A genre folder's name as one writes it; empty for none."""
    if not genre:
        return ""
    return _GENRES.get(genre, genre.replace("_", " "))


def tempo_word(bpm: float) -> str:
    """A word for a tempo."""
    return next((word for limit, word in _TEMPO_WORDS if bpm < limit), "very fast")


def measured_moods(facts: Facts) -> list[str]:
    """Moods that several measurements agree on; mostly none."""
    bpm, loudness, onsets = known_bpm(facts), value(facts, "loudness"), value(facts, "onsets")
    if bpm is None or loudness is None or onsets is None:
        return []
    if bpm >= 116 and onsets >= 3 and loudness > -16:
        return ["energetic"]
    if bpm < 90 and onsets < 2 and loudness < -16:
        return ["calm"]
    return []


def likely_moods(facts: Facts) -> list[str]:
    """Moods that the networks probably hear and no measurement speaks against."""
    measured = measured_moods(facts)
    against = {"energetic": "mellow", "calm": "danceable"}
    return [str(word) for word in value(facts, "likely_moods", ()) if word not in map(against.get, measured)]


def moods(facts: Facts) -> list[str]:
    """All moods, measured and likely."""
    return [*measured_moods(facts), *likely_moods(facts)]


def keywords(facts: Facts) -> list[str]:
    """Short words for tempo, colour, rhythm and dynamics."""
    bpm = known_bpm(facts)
    return [*([tempo_word(bpm)] if bpm is not None else []), *(word for word, _phrase in _qualities(facts))]


def describe(known: Known, forms: tuple[str, ...] = ()) -> str:
    """One or two sentences about a track, fit to condition MusicGen on.

    The same facts are put in one of several `forms`, chosen by the content hash, so that a model does not
    learn one form of words.
    """
    digest = hashlib.blake2b(known.content.encode(), digest_size=2).digest()
    forms = forms or FORMS
    return fill(forms[digest[1] % len(forms)], fields(known, digest[0]))


def fields(known: Known, variant: int = 0) -> dict[str, str]:
    """The fields of a template (see `assistant.config.CAPTION_FIELDS`), empty where they are not known."""
    facts = known.facts
    bpm, name = known_bpm(facts), genre_words(known.genre)
    feeling = [*measured_moods(facts)[:1], *([tempo_word(bpm)] if bpm is not None else [])]
    kind = f"{name} {('track', 'piece', 'tune')[variant % 3]}" if name else _kind(variant)
    about = "" if source(facts, "bpm") == "file" else "about "
    meter = value(facts, "meter", "")
    likely = [_counted(word) for word in likely_players(facts)]
    qualities = [phrase for _word, phrase in _qualities(facts)]
    return {
        "subject": _with_article(" ".join([", ".join(feeling), kind]).strip()),
        "genre": name,
        "mood": _listed(measured_moods(facts)),
        "pace": "" if bpm is None else tempo_word(bpm),
        "tempo": "" if bpm is None else f"{about}{bpm:.0f} BPM",
        "key": known_key(facts) or "",
        "meter": "" if meter in ("", "4/4") else str(meter),
        "instruments": _listed(known_players(facts)[:_MOST_INSTRUMENTS]),
        "likely_instruments": _listed(likely),
        "likely_mood": _listed(likely_moods(facts)),
        "qualities": _listed(qualities),
        "character": _character(qualities, likely_moods(facts)),
        "title": known.title,
        "artist": known.artist,
        "album": known.album,
    }


def _kind(variant: int) -> str:
    return ("piece of music", "track")[variant % 2]


def _qualities(facts: Facts) -> list[tuple[str, str]]:
    """Pairs of a keyword and a phrase that follows "it has"."""
    found = []
    brightness, onsets = value(facts, "brightness"), value(facts, "onsets")
    spread, loudness = value(facts, "spread"), value(facts, "loudness")
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
        elif "bpm" in facts and confidence(facts, "bpm") > 0.6:
            found.append(("steady beat", "a steady beat"))
        elif onsets < 1:
            found.append(("sparse", "few, long notes"))
    if spread is not None and spread > 10:
        found.append(("wide dynamics", "wide dynamics from quiet to loud"))
    elif loudness is not None and loudness > -9:
        found.append(("loud", "a loud, dense mix"))
    elif loudness is not None and loudness < -28:
        found.append(("quiet", "a quiet level"))
    return found


def _character(qualities: list[str], likely: list[str]) -> str:
    """What follows "it": "has a bright sound, and is probably danceable"; empty for nothing."""
    has, feels = f"has {_listed(qualities)}", f"is probably {_listed(likely)}"
    if qualities and likely:
        return f"{has}, and {feels}"
    return has if qualities else feels if likely else ""


def _counted(word: str) -> str:
    return f"a {word}" if word in _COUNTED else word


def _listed(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _with_article(words: str) -> str:
    return f"{'an' if _VOWEL_SOUND.match(words) else 'a'} {words}"


def fields_of_reader(facts: Facts) -> dict[str, Any]:
    """Key, tempo, instruments, moods and keywords in the forms that audiocraft's reader keeps."""
    bpm = known_bpm(facts)
    return {
        "key": known_key(facts) or "",
        "bpm": None if bpm is None else round(bpm, 1),
        "instrument": ", ".join(known_players(facts) or likely_players(facts)),
        "moods": moods(facts),
        "keywords": keywords(facts),
    }
