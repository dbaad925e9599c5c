"""Captions of composed pieces, true in every word and put in many ways."""

from __future__ import annotations

import random
import re

from assistant.audio.instruments import INSTRUMENTS as FAMILIES
from assistant.caption.facts import Facts, fact
from assistant.caption.words import Known, describe, tempo_word
from assistant.musicgen.mini.data import Made
from assistant.symbolic.rules.instruments import INSTRUMENTS

_GENRES = {
    "blues": ("blues", "blues", "blues tune", "blues song"),
    "classical": ("classical", "classical piece", "classical music", "classical work"),
    "country": ("country", "country song", "country music", "country tune"),
    "disco": ("disco", "disco", "disco dance track", "disco track"),
    "hiphop": ("hip-hop", "hip hop beat", "hip-hop track", "rap beat"),
    "jazz": ("jazz", "jazz tune", "jazz", "jazz track"),
    "metal": ("metal", "heavy metal", "metal song", "metal track"),
    "pop": ("pop", "pop song", "pop music", "pop track"),
    "reggae": ("reggae", "reggae", "reggae song", "reggae groove"),
    "rock": ("rock", "rock song", "rock music", "rock track"),
}
_MOODS = {
    "blues": ("soulful", "gritty", "laid-back"),
    "classical": ("elegant", "graceful", "expressive"),
    "country": ("cheerful", "warm", "easygoing"),
    "disco": ("danceable", "funky", "glittering"),
    "hiphop": ("cool", "urban", "head-nodding"),
    "jazz": ("smooth", "sophisticated", "swinging"),
    "metal": ("aggressive", "heavy", "powerful"),
    "pop": ("catchy", "bright", "modern"),
    "reggae": ("relaxed", "sunny", "groovy"),
    "rock": ("driving", "energetic", "raw"),
}
_SLOW, _FAST = 90, 126
_PACE = {
    "slow": ("slow", "slow", "calm", "unhurried"),
    "medium": ("mid-tempo", "medium tempo", "moderate"),
    "fast": ("fast", "upbeat", "energetic", "up-tempo"),
}
_FORMS = (
    "{pace} {genre}[ with {instruments}]",
    "{pace} {genre} in {key}[ with {instruments}]",
    "a {mood}, {pace} {genre}[ with {instruments}], {bpm} bpm",
    "{mood} {genre} with {instruments}, {pace}, {bpm} bpm, key of {key}",
    "{genre}, {instruments}, {pace}, {mood}",
    "{genre}. bpm: {bpm}. key: {key}. instrument: {instruments}. moods: {mood}",
    "{instruments} play a {mood} {genre} at {bpm} bpm",
    "a {pace} {genre} track at {bpm} BPM[ featuring {instruments}]",
    "an instrumental {genre} in {key}, {pace} and {mood}",
    "{mood} instrumental {genre}[, {instruments}][, {drums}]",
    "a {genre} groove at {bpm} bpm[ with {drums}]",
    "{pace} {mood} {genre}",
    "a {pace} {genre}",
    "{genre}",
    "{instruments}, {pace}, {key}",
)
_PART = re.compile(r"\[([^\[\]]*)\]")


def caption(made: Made, chance: random.Random) -> str:
    """One of very many true captions; a sixth are the library's own, as `assistant.caption` writes them."""
    if chance.random() < 1 / 6:
        return describe(
            Known(facts=_facts(made), genre=made.genre, content=str(chance.random())),
        )
    form = chance.choice(_FORMS)
    form = _PART.sub(lambda match: match[1] if chance.random() < 0.6 else "", form)
    text = re.sub(r"\ba (?=[aeiou])", "an ", form.format(**_fields(made, chance)))
    return text if chance.random() < 0.5 else text[0].upper() + text[1:] + "."


def _fields(made: Made, chance: random.Random) -> dict[str, str]:
    pace = "slow" if made.bpm < _SLOW else "fast" if made.bpm >= _FAST else "medium"
    moods = list(_MOODS[made.genre])
    if made.mode == "minor":
        moods += ["dark", "melancholic"] if pace != "fast" else ["dark", "tense"]
    elif pace != "slow":
        moods += ["happy"]
    players = list(made.instruments[: chance.randint(1, 4)])
    if made.drums and chance.random() < 0.5:
        players.append("drums")
    chance.shuffle(players)
    return {
        "genre": chance.choice(_GENRES[made.genre]),
        "pace": chance.choice((*_PACE[pace], tempo_word(made.bpm))),
        "mood": chance.choice(moods),
        "bpm": f"{made.bpm:.0f}",
        "key": f"{made.key} {made.mode}",
        "instruments": _listed(players),
        "drums": "drums" if made.drums else "no drums",
    }


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _facts(made: Made) -> Facts:
    """What intake would find in the piece's MIDI file."""
    words = [FAMILIES[INSTRUMENTS[name][0]] for name in made.instruments if name in INSTRUMENTS]
    return {
        "bpm": fact(made.bpm, "file"),
        "key": fact(f"{made.key} {made.mode}", "file"),
        "meter": fact(made.meter, "file"),
        "instruments": fact([*dict.fromkeys(words), *(["drums"] if made.drums else [])], "file"),
    }
