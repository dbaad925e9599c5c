"""Where a track's WAV, caption and JSON go: beside the source, never onto a file of the person's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.library.scan import declaration, display_name

_LONGEST = 240  # bytes of a name, of the 255 that file systems allow


@dataclass(frozen=True)
class Names:
    """Paths relative to the library."""

    wav: Path
    caption: Path
    info: Path
    foreign_caption: bool
    """The caption is the person's own and is not to be written."""


def plan_names(library: Library, track: Track, reserved: set[Path], *, own: bool = False) -> Names:
    """Names for what is made of a track: song.wav where that is free or ours, else song.mp3.wav.

    `reserved` are WAVs being made right now. With `own` the source is its own WAV.
    """
    folder = track.path.parent
    stems = [track.path.stem, track.path.name, *(f"{track.path.name} ({n})" for n in range(2, 1000))]
    for number, stem in enumerate(stems):
        stem = _short(stem, f"-{track.content[:12]}-{number}")
        wav = track.path if own else folder / f"{stem}.wav"
        info = folder / f"{stem}.json"
        if not own and (wav in reserved or not _free_wav(library, track, wav)):
            continue
        if not _free_info(library, track, info):
            continue
        caption, foreign = _caption(library, track, folder / f"{stem}.txt", info)
        return Names(wav, caption, info, foreign)
    raise AssertionError  # a thousand names cannot all be taken


def _short(stem: str, mark: str) -> str:
    data = stem.encode("utf-8", "surrogateescape")
    if len(data) <= _LONGEST:
        return stem
    return data[: _LONGEST - 20].decode("utf-8", "ignore") + mark


def _free_wav(library: Library, track: Track, wav: Path) -> bool:
    if wav == track.path:
        return False
    holder = library.ledger.track_at(wav)
    if holder is not None:
        return holder.id == track.id
    if not _exists(library.root / wav):
        return True
    mark = declaration(library.root / wav.with_suffix(".json"))
    return _is_of(mark, track) and mark is not None and mark.get("wav") == display_name(wav.name)


def _free_info(library: Library, track: Track, info: Path) -> bool:
    holder = library.ledger.track_at(info)
    if holder is not None and holder.id != track.id:
        return False
    return not _exists(library.root / info) or _is_of(declaration(library.root / info), track)


def _caption(library: Library, track: Track, ours: Path, info: Path) -> tuple[Path, bool]:
    """The caption to use and whether it is the person's: one of the source's name comes first."""
    mark = declaration(library.root / info)
    for theirs in (track.path.with_suffix(".txt"), track.path.with_name(track.path.name + ".txt")):
        if not _is_file(library.root / theirs):
            continue
        holder = library.ledger.track_at(theirs)
        if holder is not None and holder.id != track.id:
            continue
        written = mark.get("written") if mark and mark.get("caption") == display_name(theirs.name) else None
        other = declaration(library.root / theirs.with_suffix(".json"))
        if other is not None and not _is_of(other, track):
            continue  # made for another track
        return theirs, written is None
    if _exists(library.root / ours):
        holder = library.ledger.track_at(ours)
        if (holder is not None and holder.id != track.id) or not _is_file(library.root / ours):
            return ours.with_name(f"{track.path.name}.{track.content[:8]}.txt"), False
    return ours, False


def _is_of(mark: dict[str, Any] | None, track: Track) -> bool:
    return mark is not None and mark.get("source") == display_name(track.path.name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long to exist
        return False


def _exists(path: Path) -> bool:
    return os.path.lexists(path)  # a dangling link takes the name too
