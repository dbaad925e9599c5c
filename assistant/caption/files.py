"""The caption (.txt, one line of English) and the music fields (.json) beside a track's WAV."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.audio.tags import clean
from assistant.caption.words import describe, genre_words, keywords, known_bpm, known_key, moods
from assistant.errors import FileError
from assistant.files import write_json, write_text
from assistant.i18n import _
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.library.scan import declaration, display_name

MARK = "musichelper"
RATE = 44100


@dataclass(frozen=True)
class Origin:
    """What a caption is made from; kept in the JSON, so that it can be made again without decoding."""

    source: str
    """The name of the person's file, as valid text."""
    content: str
    wav: str
    """The name of the WAV beside it."""
    title: str
    artist: str
    album: str
    duration: float
    facts: dict[str, Any]
    tags: dict[str, str]


def write_caption(info: Path, caption: Path, origin: Origin, genre: str | None, *, foreign: bool) -> str:
    """Write the JSON at `info` and the line of English at `caption`; gives the line.

    A caption that is the person's (`foreign`), or that the person changed since we wrote it, is left as
    it is and becomes the description. Raises `OSError` where the files cannot be written.
    """
    before = declaration(info)
    text = describe(origin.facts, genre, origin.content)
    theirs = _read_line(caption)
    if theirs and (foreign or not _is_ours(theirs, before)):
        text = theirs
    elif theirs != text:
        write_text(caption, text + "\n")
    mark = {
        "source": origin.source,
        "content": origin.content,
        "wav": origin.wav,
        "caption": display_name(caption.name),
        "written": None if text == theirs and foreign else _digest(describe_of(origin, genre)),
        "facts": origin.facts,
        "tags": origin.tags,
        "album": origin.album,
    }
    write_json(info, music_fields(origin, genre, text) | {MARK: mark})
    return text


def describe_of(origin: Origin, genre: str | None) -> str:
    """The caption that we make for a track."""
    return describe(origin.facts, genre, origin.content)


def music_fields(origin: Origin, genre: str | None, description: str) -> dict[str, Any]:
    """The fields of audiocraft's MusicInfo in the forms that its reader keeps.

    Genre, instrument, key and name are strings (it drops lists there), moods and keywords are lists (it
    splits strings at spaces), what is not known is an empty string or null.
    """
    facts: Mapping[str, Any] = origin.facts
    bpm = known_bpm(facts)
    return {
        "title": origin.title,
        "artist": origin.artist,
        "name": origin.title,
        "genre": genre_words(genre),
        "description": description,
        "key": known_key(facts) or "",
        "bpm": None if bpm is None else round(bpm, 1),
        "instrument": ", ".join(facts.get("instruments", ())),
        "moods": moods(facts),
        "keywords": keywords(facts),
        "sample_rate": RATE,
        "file_extension": "wav",
        "duration": round(origin.duration, 3),
    }


def read_origin(info: Path) -> Origin | None:
    """What one of our JSON files was made from; None where it is missing, foreign or broken."""
    mark = declaration(info)
    if mark is None:
        return None
    try:
        fields = json.loads(info.read_bytes())
        return Origin(
            source=str(mark["source"]),
            content=str(mark["content"]),
            wav=str(mark["wav"]),
            title=str(fields["title"]),
            artist=str(fields["artist"]),
            album=str(mark.get("album", "")),
            duration=float(fields["duration"]),
            facts=dict(mark["facts"]),
            tags=dict(mark["tags"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_caption(library: Library, track: Track) -> str:
    """The caption of a track as it is on disk; empty where there is none."""
    return _read_line(library.root / track.caption) if track.caption is not None else ""


def rewrite_caption(library: Library, track: Track) -> str:
    """Write a track's caption and JSON anew, for instance after its genre changed; gives the caption.

    What the person wrote stays. Raises `FileError` for a track without a JSON of ours.
    """
    origin = read_origin(library.root / track.info) if track.info is not None else None
    if track.info is None or track.caption is None or track.wav is None or origin is None:
        raise FileError(
            library.root / track.path,
            _("{path} has no caption yet.").format(path=display_name(track.path)),
            _("Take it in first with `musichelper watch --once`."),
        )
    named = Origin(
        **vars(origin) | {"source": display_name(track.path.name), "wav": display_name(track.wav.name)}
    )
    mark = declaration(library.root / track.info) or {}
    return write_caption(
        library.root / track.info,
        library.root / track.caption,
        named,
        library.genre_of(track.path),
        foreign=mark.get("written") is None,
    )


def _read_line(caption: Path) -> str:
    try:
        text = caption.read_bytes()[: 1 << 16].decode("utf-8", "replace")
    except OSError:
        return ""
    return " ".join(clean_line for line in text.splitlines() if (clean_line := clean(line, longest=2000)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _is_ours(text: str, mark: dict[str, Any] | None) -> bool:
    return mark is not None and mark.get("written") == _digest(text)
