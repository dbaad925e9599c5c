"""Title, artist, album and the like from a file's tags, with broken encodings mended."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

_FIELDS = ("title", "artist", "album", "genre", "year", "composer", "albumartist")
_LONGEST = 200
# Frequent characters stand together in each of these: Big5 level 1, GB 2312 level 1, kana.
_ENCODINGS: dict[str, Callable[[int, int], bool]] = {
    "big5": lambda first, second: 0xA4 <= first <= 0xC6,
    "gbk": lambda first, second: 0xB0 <= first <= 0xD7 and second >= 0xA1,
    "shift_jis": lambda first, second: first in (0x82, 0x83),
}


def read_tags(path: Path) -> dict[str, str]:
    """The tags of a file as clean text; only those that it has. Never raises for a damaged tag."""
    from tinytag import TinyTag, TinyTagException

    try:
        with path.open("rb") as file:
            tag = TinyTag.get(file_obj=file, duration=False)
    except (TinyTagException, OSError, ValueError, LookupError):
        return {}
    found = {}
    for field in _FIELDS:
        value = getattr(tag, field, None)
        text = clean(mend(str(value))) if value not in (None, "") else ""
        if text:
            found[field] = text
    return found


def mend(text: str) -> str:
    """Text as it was meant: undoes UTF-8, Big5, GBK or Shift-JIS that was read as Latin-1."""
    import ftfy

    high = sum("\x80" <= character <= "\xff" for character in text)
    if high:
        try:
            data = text.encode("latin-1")
        except UnicodeEncodeError:
            try:
                data = text.encode("cp1252")
            except UnicodeEncodeError:
                data = b""
        letters = sum(character.isalpha() or character >= "\x80" for character in text)
        # In a European name the accented letters are few; in misread Chinese nearly all are such.
        if data and high >= 4 and high >= 0.6 * letters and not _is_utf8(data):
            best = max(_ENCODINGS, key=lambda encoding: _score(data, encoding))
            if _score(data, best) >= 0.6:
                return data.decode(best)
    return ftfy.fix_encoding(text)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _score(data: bytes, encoding: str) -> float:
    """The share of double bytes that are frequent characters of the encoding; -1 where it is not that."""
    frequent = _ENCODINGS[encoding]
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return -1.0
    doubles = [bytes_ for character in text if len(bytes_ := character.encode(encoding)) == 2]
    return sum(frequent(first, second) for first, second in doubles) / len(doubles) if doubles else -1.0


def clean(text: str, longest: int = _LONGEST) -> str:
    """One line without control, direction or private characters and lone surrogates, of modest length."""
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    line = re.sub(r" {2,}", " ", "".join(kept)).strip()
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def title_from_name(name: str) -> str:
    """A title from a file name: no suffix, no track number, spaces for underscores."""
    stem = name.rpartition(".")[0] or name
    text = stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\ufffd", "?")
    if " " not in text:
        text = text.replace("_", " ")
    text = re.sub(r"^\s*\d{1,3}(?:\s*[-._)]\s*|\s+)(?=\D)", "", clean(text))
    return text or clean(stem) or "untitled"
