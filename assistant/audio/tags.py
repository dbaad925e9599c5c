"""Title, artist, album and the like from a file's tags, with broken encodings mended."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from assistant.audio.mojibake import mend, mend_together

_FIELDS = ("title", "artist", "album", "genre", "year", "composer", "albumartist")
_LONGEST = 200


def read_tags(path: Path) -> dict[str, str]:
    """The tags of a file as clean text; only those that it has. Never raises for a damaged tag."""
    from tinytag import TinyTag, TinyTagException

    try:
        with path.open("rb") as file:
            tag = TinyTag.get(file_obj=file, duration=False)
    except (TinyTagException, OSError, ValueError, LookupError):
        return {}
    written = {field: str(value) for field in _FIELDS if (value := getattr(tag, field, None)) is not None}
    mended = map(clean, mend_together(list(written.values())))
    return {field: text for field, text in zip(written, mended, strict=True) if text}


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
    """A title from a file name: mended, no suffix, no track number, spaces for underscores."""
    stem = mend(name.rpartition(".")[0] or name)
    text = stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\ufffd", "?")
    if " " not in text:
        text = text.replace("_", " ")
    text = re.sub(r"^\s*\d{1,3}(?:\s*[-._)]\s*|\s+)(?=\D)", "", clean(text))
    return text or clean(stem) or "untitled"
