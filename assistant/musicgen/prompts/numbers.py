"""What a prompt says in numbers: tempo, key, time signature, decade, length."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_DIGITS = {
    **{digit: value for value, digit in enumerate("零一二三四五六七八九")},
    **{"〇": 0, "○": 0, "兩": 2, "两": 2},
}
_UNITS = {"十": 10, "百": 100}
_N = r"(\d{1,3}|[零〇○一二兩两三四五六七八九十百]{1,5})"
_NOTE = r"([升降]?)\s*([A-Ga-g])\s*([#♯b♭]?)\s*([大小])[調调]"


@dataclass(frozen=True)
class Said:
    """A number with its meaning. `kind` is bpm, key, time, era or length."""

    kind: str
    english: str


def _bpm(match: re.Match[str]) -> Said | None:
    value = value_of(match.group(1))
    return Said("bpm", f"{value} bpm") if 20 <= value <= 400 else None


def _key(match: re.Match[str]) -> Said:
    before, note, behind, mode = match.groups()
    sign = {"升": " sharp", "#": " sharp", "♯": " sharp", "降": " flat", "b": " flat", "♭": " flat"}
    accidental = sign.get(before or behind, "")
    return Said("key", f"in {note.upper()}{accidental} {'major' if mode == '大' else 'minor'}")


def _time(match: re.Match[str]) -> Said:
    below, above, short_above, short_below, left, right = match.groups()
    if below:
        above_value, below_value = value_of(above), value_of(below)
    elif short_above:
        above_value, below_value = value_of(short_above), value_of(short_below)
    else:
        above_value, below_value = int(left), int(right)
    return Said("time", f"{above_value}/{below_value} time")


def _era(match: re.Match[str]) -> Said:
    century, digits, word = match.groups()
    tens = digits or f"{_DIGITS[word]}0"
    return Said("era", f"{century}{tens}s" if century == "20" or tens in ("00", "10") else f"{tens}s")


def _length(_match: re.Match[str]) -> Said:
    return Said("length", "")


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Said | None]], ...] = (
    (re.compile(rf"{_N}分之{_N}拍|([二三四六九])([二四八])拍子?|(\d)/(\d)\s*拍子?"), _time),
    (re.compile(rf"(?:每分[鐘钟]|BPM\s*[:：=]?|速度\s*[:：=]?)\s*{_N}\s*(?:拍|下|BPM)?", re.I), _bpm),
    (re.compile(rf"{_N}\s*(?:BPM|拍)", re.I), _bpm),
    (re.compile(_NOTE), _key),
    (re.compile(r"(19|20)?(?:(\d0)|([五六七八九])[零〇○十])\s*年代"), _era),
    (re.compile(rf"{_N}\s*(?:秒[鐘钟]?|分[鐘钟])"), _length),
)


def number_at(text: str, place: int) -> tuple[Said, int] | None:
    """What begins at this place of a text and means a number, with where it ends."""
    for pattern, meaning in _PATTERNS:
        match = pattern.match(text, place)
        if match and (said := meaning(match)) is not None:
            return said, match.end()
    return None


def value_of(text: str) -> int:
    """The value of Arabic or Chinese digits: 70, 七十, 一百二十, 一二〇."""
    if text.isdigit():
        return int(text)
    if not any(unit in text for unit in _UNITS):
        return int("".join(str(_DIGITS[one]) for one in text))
    value, digit = 0, 0
    for one in text:
        if one in _UNITS:
            value += (digit or 1) * _UNITS[one]
            digit = 0
        else:
            digit = _DIGITS[one]
    # 一百二 is 120, 一百零二 is 102.
    short = digit and text[-2:-1] == "百"
    return value + digit * (10 if short else 1)
