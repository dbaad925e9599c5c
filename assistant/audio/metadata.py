"""The title, the program and a comment of any length in a file's own metadata."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import FileError
from assistant.i18n import _

if TYPE_CHECKING:
    import soundfile

_LONGEST_TITLE = 120


def set_tags(file: soundfile.SoundFile, title: str, comment: str, program: str) -> None:
    """Tag a FLAC, Ogg or MP3 file that is open for writing and still empty.

    libsndfile says of all ID3 texts that they are Latin-1: a title for MP3 must be ASCII to be kept, and a
    comment to be read as it was.
    """
    if title and (file.format != "MP3" or title.isascii()):
        file.title = short_title(title)
    if program:
        file.software = program
    if comment:
        file.comment = comment


def append_info(path: Path, title: str, comment: str, program: str) -> None:
    """Tag a WAV file that is whole: a LIST chunk of INFO behind the audio.

    libsndfile writes one before the audio, loses it over some 3 KB, and over 64 KB the file with it.
    """
    fields = ((b"INAM", short_title(title)), (b"ISFT", program), (b"ICMT", comment))
    chunks = b"".join(_chunk(name, text.encode("utf-8", "replace") + b"\0") for name, text in fields if text)
    if not chunks:
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.write(b"\0" * (end % 2) + _chunk(b"LIST", b"INFO" + chunks))
        size = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", size))


def read_comment(path: Path) -> str:
    """The comment in a file's metadata, or nothing. Raises `FileError` for what is no audio."""
    import av

    try:
        with path.open("rb") as file, av.open(file, metadata_errors="surrogateescape") as container:
            tags = [dict(container.metadata), *(dict(stream.metadata) for stream in container.streams.audio)]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FileError(path, _("{path} cannot be read as audio.").format(path=path)) from error
    comments = [text for one in tags for name, text in one.items() if name.casefold() == "comment"]
    return comments[0] if comments else ""


def short_title(text: str) -> str:
    """A title in one line, cut where players would cut it."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1] + "…"


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
