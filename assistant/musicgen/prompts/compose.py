"""An English prompt in the form that MusicGen has learnt: what it is, with what, how it feels, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.musicgen.prompts.glossary import KINDS
from assistant.musicgen.prompts.reading import Piece, is_chinese, pieces

_ADJECTIVES = ("mood", "texture", "tempo")
_MUSIC = frozenset((*KINDS, "bpm", "key", "time", "plain", "word"))
_TEMPO_IN_BETWEEN = "mid-tempo"
# Names of pieces, where others name a style of which there can be a piece.
_PIECES = (
    "blues", "symphony", "quartet", "opera", "waltz", "march", "polka", "nocturne", "sonata", "concerto",
    "fugue", "lullaby", "tango", "nova", "score", "samba", "rumba", "mambo", "ballad", "cha-cha",
)  # fmt: skip


@dataclass(frozen=True)
class English:
    """What a prompt became."""

    prompt: str
    """As the person wrote it."""
    english: str
    """What the model is told; empty where nothing was understood."""
    left_out: tuple[str, ...] = ()
    """What the person does not want to hear; a model that is told of it would play it."""
    elsewhere: tuple[str, ...] = ()
    """Lengths: a setting says them, not the prompt."""
    unknown: tuple[str, ...] = ()
    """What was not understood."""


@dataclass
class _Sorted:
    """The pieces by what they say of the music."""

    parts: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, kind: str, words: str) -> None:
        known = self.parts.setdefault(kind, [])
        if words not in known:
            known.append(words)

    def get(self, *kinds: str) -> list[str]:
        return [words for kind in kinds for words in self.parts.get(kind, ())]


def translate(prompt: str) -> English:
    """The English for a prompt; one without Chinese characters stays as it is."""
    if not is_chinese(prompt):
        return English(prompt, prompt)
    sorted_pieces = _sort(pieces(prompt))
    return English(
        prompt,
        _sentence(sorted_pieces),
        tuple(sorted_pieces.left_out),
        tuple(sorted_pieces.elsewhere),
        tuple(sorted_pieces.unknown),
    )


def _sort(row: Sequence[Piece]) -> _Sorted:
    found = _Sorted()
    refusing = False
    place = 0
    while place < len(row):
        piece = row[place]
        if piece.kind == "not":
            refusing = True
        elif piece.kind == "not too":
            place += _take_not_too(row, place, found)
        elif piece.kind in ("end", "of"):
            refusing = False
        elif piece.kind == "length":
            found.elsewhere.append(piece.text)
        elif refusing and piece.kind in (*_MUSIC, "unknown"):
            found.left_out.append(piece.text)
        elif piece.kind == "unknown":
            found.unknown.append(piece.text)
        elif piece.kind in _MUSIC:
            place += _take(row, place, found)
        place += 1
    return found


def _take(row: Sequence[Piece], place: int, found: _Sorted) -> int:
    """Note down the piece here, with what belongs to it behind it; how many more pieces that took."""
    words, kind, taken = row[place].english, row[place].kind, 0
    if kind == "degree":
        following = row[place + 1] if place + 1 < len(row) else None
        if following is None or following.kind not in _ADJECTIVES:
            return 0
        words, kind, taken = f"{words} {following.english}", following.kind, 1
    if kind in ("mood", "texture", "plain"):
        behind = place + taken + 1
        if behind < len(row) and row[behind].kind == "of":
            behind += 1
        if behind < len(row) and row[behind].kind == "instrument":
            found.add("instrument", f"{words} {row[behind].english}")
            return behind - place
    found.add(kind, words)
    return taken


def _take_not_too(row: Sequence[Piece], place: int, found: _Sorted) -> int:
    following = row[place + 1] if place + 1 < len(row) else None
    if following is None or following.kind not in (*_MUSIC, "unknown"):
        return 0
    if following.kind == "tempo":
        found.add("tempo", _TEMPO_IN_BETWEEN)
    else:
        found.left_out.append(row[place].text + following.text)
    return 1


def _sentence(found: _Sorted) -> str:
    if not found.parts:
        return ""
    instruments = found.get("instrument")
    moods = found.get("mood")
    head = [*found.get("tempo"), *found.get("era"), *_noun(found)]
    if not found.get("tempo", "genre", "form") and moods:
        head.insert(0, ", ".join(moods))
        moods = []
    sentence = " ".join(head)
    if not sentence.endswith("music"):
        sentence = f"{'an' if sentence[0] in 'aeiouAEIO8' else 'a'} {sentence}"
    if instruments:
        sentence += f" with {_listed(instruments)}"
    rest = [
        *moods,
        *found.get("texture", "word", "plain", "production", "place", "key", "time"),
        *found.get("bpm")[-1:],
    ]
    return ", ".join([sentence, *rest])


def _noun(found: _Sorted) -> list[str]:
    genres, forms = found.get("genre"), found.get("form")
    if not genres:
        return [forms[-1] if forms else "piece"]
    style = _listed(genres)
    forms = [form for form in forms if form != "music"]
    if forms:
        return [style, forms[-1]]
    last = style.split()[-1]
    return [style] if last in _PIECES or last == "music" else [style, "piece"]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
