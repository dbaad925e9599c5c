"""The last step of a conversion: the caption and the ledger's row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.audio.guard import Converted, decoder_version
from assistant.audio.tags import title_from_name
from assistant.caption.captioner import Caption
from assistant.caption.facts import fact
from assistant.caption.files import Origin, write_caption
from assistant.intake.names import Names, plan_names
from assistant.library.duplicates import note_sound
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.library.scan import display_name


@dataclass(frozen=True)
class Finished:
    """A track that has become ready."""

    wav: Path
    """Relative."""
    caption: Caption
    duplicate_of: str
    """An earlier file with the same sound, as text; empty for none."""


def finish(
    library: Library, track: Track, target: Path, converted: Converted, reserved: set[Path]
) -> Finished:
    """Write what belongs to a new WAV, make the track ready and compare its sound with the others'.

    Raises `OSError` where the caption cannot be written.
    """
    current = library.ledger.track(track.id) or track
    names = plan_names(library, current, reserved, own=converted.own)
    wav = track.path if converted.own else target
    tags = converted.tags
    origin = Origin(
        source=display_name(track.path.name),
        content=track.content,
        wav=display_name(wav.name),
        title=tags.get("title") or title_from_name(track.path.name),
        artist=tags.get("artist") or tags.get("albumartist") or "",
        album=tags.get("album", ""),
        duration=converted.duration,
        facts={
            **converted.measured,
            "channels": fact(converted.channels, "file"),
            "codec": fact(converted.codec, "file"),
        },
        tags=tags,
    )
    caption = make_ready(library, track, wav, names, origin, decoder=decoder_version())
    return Finished(wav, caption, note_sound(library, current, converted.fingerprint))


def make_ready(
    library: Library, track: Track, wav: Path, names: Names, origin: Origin, **values: object
) -> Caption:
    """Write the caption of a WAV (relative path) that is there, and the ledger's row with `values` besides.

    Raises `OSError` where the caption cannot be written.
    """
    caption = write_caption(
        library.root / names.info,
        library.root / names.caption,
        origin,
        library.genre_of(track.path),
        foreign=names.foreign_caption,
        settings=library.settings.caption,
    )
    library.ledger.update_track(
        track.id,
        state="ready",
        reason="",
        hint="",
        attempts=0,
        retry_at=None,
        wav=wav,
        caption=names.caption,
        info=names.info,
        duration=origin.duration,
        title=origin.title,
        artist=origin.artist,
        album=origin.album,
        **values,
    )
    return caption
