"""Tracks whose WAV is already there: moved by the person, or known to the folder but not the ledger."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import soundfile

from assistant.audio.open import open_sound
from assistant.caption.files import Origin, read_origin
from assistant.files import sync
from assistant.intake.finish import make_ready
from assistant.intake.names import Names, plan_names
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.library.scan import declaration, display_name

_MOST_LOOKED_AT = 1 << 20


def adopt(library: Library, track: Track, reserved: set[Path]) -> str | None:
    """Make a waiting track ready with what was made of it before; gives its caption.

    None where there is nothing to adopt and it is to be converted. Files of ours that stayed behind
    when the person moved the source follow it. Raises `OSError` where they cannot.
    """
    for info in _candidates(track):
        origin = read_origin(library.root / info)
        if origin is None or origin.content != track.content:
            continue
        own = origin.wav == origin.source
        wav = track.path if own else info.parent / os.fsdecode(_name_on_disk(library, info, origin))
        if not _is_training_wav(library.root / wav):
            continue
        return _take(library, track, info, wav, origin, reserved, own=own)
    return None


def _candidates(track: Track) -> list[Path]:
    beside = [track.path.with_suffix(".json"), track.path.with_name(track.path.name + ".json")]
    return list(dict.fromkeys(path for path in (track.info, *beside) if path is not None))


def _name_on_disk(library: Library, info: Path, origin: Origin) -> bytes:
    """The WAV's name: that of the JSON where both agree, as they do in all that we write."""
    name = info.with_suffix(".wav").name
    return os.fsencode(name if display_name(name) == origin.wav else origin.wav)


def _is_training_wav(path: Path) -> bool:
    try:
        with open_sound(path) as found:
            kind = (found.format, found.subtype, found.samplerate)
            return kind == ("WAV", "PCM_16", 44100) and found.frames > 0
    except (soundfile.SoundFileError, OSError):
        return False


def _take(
    library: Library, track: Track, info: Path, wav: Path, origin: Origin, reserved: set[Path], *, own: bool
) -> str:
    root = library.root
    mark = declaration(root / info) or {}
    names = plan_names(library, track, reserved, own=own)
    if not own and wav == names.wav and info == names.info:
        caption = track.caption or info.with_name(str(mark.get("caption", names.caption.name)))
        if (root / caption).is_file() and caption.parent == names.caption.parent:
            names = Names(wav, caption, info, mark.get("written") is None)
    else:
        old_caption = track.caption or info.with_name(str(mark.get("caption", "")))
        _follow(root / wav, root / names.wav)
        if not (root / names.caption).exists() and (root / old_caption).is_file():
            _follow(root / old_caption, root / names.caption)
            names = Names(names.wav, names.caption, names.info, mark.get("written") is None)
        _follow(root / info, root / names.info)
    moved = Origin(
        **vars(origin) | {"source": display_name(track.path.name), "wav": display_name(names.wav.name)}
    )
    return make_ready(library, track, names.wav, names, moved).text


def _follow(old: Path, new: Path) -> None:
    """Rename one of our files; never onto another."""
    if old == new or not old.exists():
        return
    with contextlib.suppress(FileExistsError):
        os.link(old, new)
        sync(new.parent)
        old.unlink()
