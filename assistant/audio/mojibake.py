"""Text that was read in the wrong encoding, and what it was meant to be.

UTF-8, Big5, GBK and Shift-JIS that went through Latin-1, Windows-1252 or (in ZIP files) code page 437,
and names on disk that are no UTF-8 at all. Where it is not clear, nothing is done: a title that is right
must never be damaged.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mended:
    """Text as it was meant, and what had happened to it."""

    text: str
    encoding: str
    """What its bytes are, by the name that people use."""
    read_as: str
    """What they were taken for; empty where the bytes themselves lie on the disk."""


# The frequent characters stand together: Big5 level 1, GB 2312 level 1, kana and JIS level 1.
_ENCODINGS: dict[str, tuple[str, Callable[[int, int], bool]]] = {
    "big5": ("Big5", lambda first, second: 0xA4 <= first <= 0xC6),
    "gbk": ("GBK", lambda first, second: 0xB0 <= first <= 0xD7 and second >= 0xA1),
    "cp932": ("Shift-JIS", lambda first, second: first in (0x82, 0x83) or 0x88 <= first <= 0x97),
}
_BY_NAME = {name: encoding for encoding, (name, _usual) in _ENCODINGS.items()}
_READ_AS = {"Latin-1": "latin-1", "Windows-1252": "sloppy-windows-1252", "CP437": "cp437"}
_LEAST_SCORE = 0.7
_MARKS = "　、。·．！？：；（）「」『』【】《》〈〉～…—－ー・，"
# Frequent in Chinese and in titles of songs; they decide between readings that are both possible.
_FREQUENT = frozenset(
    "的一是不了人我在有他這中大來上個國到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可她里後小麼心多天而能好都然"
    "没沒日於起還发發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長知樣現分將外但身些與高意進把法此實"
    "回二理美點月明其種聲全工己話兒者向情部正名定女問力機給等幾很業最間新什打便位因重被走電四第門相次東政海口使教西再平真聽"
    "世氣信北少關並内加化由卻代軍產入先山五太水萬市眼體別處總才場師書比住員九笑性通目華報立馬命張活難神數件安表原車白應路期"
    "愛爱恋戀夜雨空風风夢梦花歌曲樂乐星光愁淚泪雪春夏秋冬紅红藍蓝黑青綠绿甜蜜思念離离別傷伤吻痛寂寞孤單单獨独溫温柔幸福快永遠远"
    "友朋鄉乡祝唱晴陽阳雲云流浪海洋江河湖城舞跳琴音聲声這这個个們们來来時时國国說说會会對对還还後后麼么發发過过為为開开點点"
    "見见長长東东愿願誓言忘記记憶忆故男孩王李林陳陈張张劉刘周鄧邓蔡徐吳吴"
)
_GREEK = range(0x370, 0x400)


def mend(text: str) -> str:
    """Text as it was meant; the same text where nothing is certain."""
    found = find(text)
    return text if found is None else found.text


def mend_together(texts: list[str]) -> list[str]:
    """The tags of one file, each as it was meant: an encoding that is certain in one counts for all.

    So that a name of three characters, too short to be certain of by itself, is mended with the title.
    """
    found = [find(text) for text in texts]
    east = {(one.encoding, one.read_as) for one in found if one and one.read_as and one.encoding in _BY_NAME}
    mended = [text if one is None else one.text for text, one in zip(texts, found, strict=True)]
    if len(east) != 1:
        return mended
    (name, read_as), *_none = east
    for place, one in enumerate(found):
        if one is None and not texts[place].isascii():
            data = _encoded(texts[place], _READ_AS[read_as])
            if data is not None and _score(data, _BY_NAME[name]) >= _LEAST_SCORE:
                mended[place] = data.decode(_BY_NAME[name])
    return mended


def find(text: str) -> Mended | None:
    """What a text, or the name of a file, was meant to be; None where it seems right."""
    if text.isascii():
        return None
    if any("\udc80" <= character <= "\udcff" for character in text):
        return _from_disk(os.fsencode(text))
    for name in ("Latin-1", "Windows-1252"):
        data = _encoded(text, _READ_AS[name])
        if data is None or _is_utf8(data):
            continue
        if (found := _east_asian(data)) is not None:
            return Mended(found[0], found[1], name)
    if _from_code_page_437(text) and (data := _encoded(text, "cp437")) is not None:
        if _is_utf8(data):
            return Mended(data.decode(), "UTF-8", "CP437")
        if (found := _east_asian(data)) is not None:
            return Mended(found[0], found[1], "CP437")
    import ftfy

    fixed = ftfy.fix_encoding(text)
    # Of UTF-8 two bytes and more become one character; anything else that it does is a matter of taste.
    return Mended(fixed, "UTF-8", "Latin-1") if len(fixed) < len(text) else None


def _from_disk(data: bytes) -> Mended | None:
    if (found := _east_asian(data)) is not None:
        return Mended(*found, "")
    # Western letters stand alone among plain ones, and none of them is a control character.
    text = data.decode("cp1252", "replace")
    high = [character for character in text if character > "\x7f"]
    if all(character.isalpha() or character in "‘’“”–—…°´¿¡" for character in high):
        letters = sum(character.isalpha() for character in text)
        if high and len(high) <= 0.5 * letters:
            return Mended(text, "Latin-1", "")
    return None


def _encoded(text: str, encoding: str) -> bytes | None:
    import ftfy  # noqa: F401 - brings the sloppy encodings

    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _from_code_page_437(text: str) -> bool:
    """Whether a text has what only that code page puts beside letters: lines, blocks, stray Greek."""
    lines = sum("\u2300" <= character <= "\u25ff" for character in text)
    greek = sum(ord(character) in _GREEK for character in text)
    latin = sum("\x80" <= character <= "\u024f" for character in text)
    return lines > 0 or (greek > 0 and latin > 0)


def _east_asian(data: bytes) -> tuple[str, str] | None:
    """The text of bytes in an East Asian encoding and its name; None where that is not certain."""
    words = [word for word in data.split() if any(byte >= 0x80 for byte in word)]
    high = sum(byte >= 0x80 for word in words for byte in word)
    # In a European name the accented letters are few; in misread Chinese most bytes are high.
    if high < 3 or high < 0.5 * sum(len(word) for word in words):
        return None
    scores = {encoding: _score(data, encoding) for encoding in _ENCODINGS}
    best = max(scores, key=lambda encoding: scores[encoding])
    text = data.decode(best, "replace")
    wide = [character for character in text if character > "\x7f" and character not in _MARKS]
    if scores[best] < _LEAST_SCORE or not wide:
        return None
    if high < 4 and not all(character in _FREQUENT for character in wide):
        return None
    return text, _ENCODINGS[best][0]


def _score(data: bytes, encoding: str) -> float:
    """How well bytes make text: the share of usual characters, and a little for the frequent."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return -1.0
    usual = _ENCODINGS[encoding][1]
    counted = good = frequent = 0
    for character in text:
        if character <= "\x7f" or character in _MARKS:
            continue
        counted += 1
        pair = character.encode(encoding)
        good += len(pair) == 2 and usual(pair[0], pair[1])
        frequent += character in _FREQUENT or _is_kana(character)
    if not counted or any(unicodedata.category(character) in ("Co", "Cn", "Cc") for character in text):
        return -1.0
    return good / counted + 0.4 * frequent / counted


def _is_kana(character: str) -> bool:
    return "\u3041" <= character <= "\u30ff"
