"""The caption (.txt, one line of English) and the music fields (.json) beside a track's WAV."""

from __future__ import annotations

import codecs
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.audio.mojibake import mend
from assistant.audio.tags import clean
from assistant.caption.captioner import BUILT_IN, Caption, write_words
from assistant.caption.facts import Fact, fact, upgraded
from assistant.caption.words import Known, fields_of_reader, genre_words
from assistant.config import CaptionSettings
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
    facts: dict[str, Fact]
    tags: dict[str, str]


def write_caption(
    info: Path,
    caption: Path,
    origin: Origin,
    genre: str | None,
    *,
    foreign: bool,
    settings: CaptionSettings | None = None,
    genre_source: str = "folder",
) -> Caption:
    """Write the JSON at `info` and the line of English at `caption`; gives the line.

    A caption that is the person's (`foreign`), or that the person changed since we wrote it, is left as
    it is and becomes the description. A description that the person changed in the JSON stays too, and
    becomes the caption where that is still ours. Raises `OSError` where the files cannot be written.
    """
    settings = settings or CaptionSettings()
    genre = _readable(genre) if genre else None
    before = declaration(info)
    ours = write_words(known_of(origin, genre), settings)
    text, theirs = ours.text, _read_line(caption)
    edited = _edited_description(info, before, theirs)
    # A crash between the two files leaves a caption of ours without its JSON.
    kept = theirs not in ("", ours.text) and (foreign or not _is_ours(theirs, before))
    if kept:
        text = theirs
    elif edited:
        text = edited
    if not kept and theirs != text:
        write_text(caption, text + "\n")
    description = edited or text
    mark = {
        "source": origin.source,
        "content": origin.content,
        "wav": origin.wav,
        "caption": display_name(caption.name),
        "captioner": BUILT_IN if ours.problem else settings.captioner,
        "written": None if kept and foreign else _digest(ours.text),
        "described": None if edited else _digest(description),
        "facts": _all_facts(origin, genre, genre_source),
        "tags": origin.tags,
        "album": origin.album,
    }
    write_json(info, music_fields(origin, genre, description) | {MARK: mark})
    return Caption(text, ours.problem)


def _readable(genre: str) -> str | None:
    """A folder's name, which may be any bytes, as clean text; None where its encoding is not certain."""
    text = mend(genre)
    certain = not any("\udc80" <= character <= "\udcff" for character in text)
    return clean(text) or None if certain else None


def known_of(origin: Origin, genre: str | None) -> Known:
    """What a captioner may use."""
    return Known(
        facts=origin.facts,
        genre=genre,
        title=origin.title,
        artist=origin.artist,
        album=origin.album,
        duration=origin.duration,
        tags=origin.tags,
        content=origin.content,
    )


def _all_facts(origin: Origin, genre: str | None, genre_source: str) -> dict[str, Fact]:
    """The measured facts with genre, title, artist and album, so that each has its source."""
    facts = dict(origin.facts)
    if genre:
        facts["genre"] = fact(genre, genre_source)
    for name, words in (("title", origin.title), ("artist", origin.artist), ("album", origin.album)):
        if words:
            tagged = words in (origin.tags.get(name), origin.tags.get(f"album{name}"))
            facts[name] = fact(words, "tags" if tagged else "name", 1.0 if tagged else 0.5)
    return facts


def music_fields(origin: Origin, genre: str | None, description: str) -> dict[str, Any]:
    """The fields of audiocraft's MusicInfo in the forms that its reader keeps.

    Genre, instrument, key and name are strings (it drops lists there), moods and keywords are lists (it
    splits strings at spaces), what is not known is an empty string or null.
    """
    return {
        "title": origin.title,
        "artist": origin.artist,
        "name": origin.title,
        "genre": genre_words(genre),
        "description": description,
        **fields_of_reader(origin.facts),
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
            facts={
                name: item
                for name, item in upgraded(mark["facts"]).items()
                if name not in ("genre", "title", "artist", "album")
            },
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
        raise _uncaptioned(library, track)
    named = Origin(
        **vars(origin) | {"source": display_name(track.path.name), "wav": display_name(track.wav.name)}
    )
    mark = declaration(library.root / track.info) or {}
    genre = library.genre_of(track.path)
    return write_caption(
        library.root / track.info,
        library.root / track.caption,
        named,
        genre,
        foreign=mark.get("written") is None,
        settings=library.settings.caption,
        genre_source="person" if library.ledger.was_decided(track.id, genre) else "folder",
    ).text


def edit_caption(library: Library, track: Track, text: str) -> str:
    """Give a track the person's own caption, in the text file and as the description; gives the caption.

    Without a JSON of ours the text file alone is written. An empty text brings back the caption that is made
    from what is known. Raises `FileError` for a track that has no caption yet, or nothing that one could be
    made from, and where a file cannot be written.
    """
    line = clean(text, longest=2000)
    if track.caption is None:
        raise _uncaptioned(library, track)
    path = library.root / track.caption
    known = track.info is not None and read_origin(library.root / track.info) is not None
    if not line and not known:
        raise FileError(
            library.root / track.path,
            _("{path} has no JSON any more from which a caption could be made.").format(
                path=display_name(track.path)
            ),
            _("Write a caption of your own; the one that is there stays until then."),
        )
    try:
        if line:
            write_text(path, line + "\n")
        else:
            _forget_own_words(library, track)
        return rewrite_caption(library, track) if known else line
    except OSError as error:
        raise FileError(
            path,
            _("The caption {path} cannot be written: {reason}.").format(
                path=display_name(track.caption), reason=error.strerror
            ),
            _("Check the rights and the free space of its folder."),
        ) from error


def _forget_own_words(library: Library, track: Track) -> None:
    """Let the next caption be ours again: no text, and no mark that the one there is the person's."""
    assert track.caption is not None
    (library.root / track.caption).unlink(missing_ok=True)
    if track.info is not None and (mark := declaration(library.root / track.info)) is not None:
        info = library.root / track.info
        fields = json.loads(info.read_bytes())
        fields["description"] = ""
        fields[MARK] = mark | {"written": ""}
        write_json(info, fields)


def _uncaptioned(library: Library, track: Track) -> FileError:
    return FileError(
        library.root / track.path,
        _("{path} has no caption yet.").format(path=display_name(track.path)),
        _("Take it in first with `musichelper watch --once`."),
    )


def _read_line(caption: Path) -> str:
    try:
        data = caption.read_bytes()[: 1 << 16]
    except OSError:
        return ""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace")
    return " ".join(clean_line for line in text.splitlines() if (clean_line := clean(line, longest=2000)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _is_ours(text: str, mark: dict[str, Any] | None) -> bool:
    return mark is not None and mark.get("written") == _digest(text)


def _edited_description(info: Path, mark: dict[str, Any] | None, caption: str) -> str:
    """The description in the JSON where the person changed it there; otherwise empty."""
    if mark is None:
        return ""
    try:
        text = json.loads(info.read_bytes()).get("description")
    except (OSError, ValueError, AttributeError):
        return ""
    if not isinstance(text, str) or not text.strip() or text == caption:
        return ""
    if "described" in mark:
        return "" if mark["described"] == _digest(text) else text
    return "" if mark.get("written") in (None, _digest(text)) else text
