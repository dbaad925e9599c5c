"""Why a file cannot be read as audio, told from its structure: what it is instead, or where it ends.

Runs in the decoder process, after the decoders have given up.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from assistant.audio.decode import cut_off
from assistant.errors import MusicHelperError
from assistant.files import open_regular
from assistant.i18n import _

_HEAD = 1 << 16
_LARGEST_INDEX = 4 << 20
_TWO_FRAMES = 2884  # of MP3 at 320 kbit/s
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
# Content Encryption Object and Extended Content Encryption Object of the ASF specification.
_ASF_LOCKS = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
)
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_DOCUMENTS = (b"%PDF", b"\xd0\xcf\x11\xe0", b"{\\rtf")
_PROGRAMS = (b"\x7fELF", b"MZ", b"#!/")


def diagnose(path: Path) -> MusicHelperError | None:
    """A better reason than that it cannot be read; None where there is none."""
    try:
        return _diagnose(path)
    except (struct.error, OSError, ValueError, OverflowError):  # its structure is damaged too
        return None


def _diagnose(path: Path) -> MusicHelperError | None:
    size = path.stat().st_size
    with open_regular(path) as file:
        head = file.read(_HEAD)
        text = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if not head.strip(b"\0") and not _rest(file):
            return MusicHelperError(
                _("The file holds nothing but zeros."),
                _("Its download or copy was never finished; copy or download it again."),
            )
        if text.startswith((b"<!doctype html", b"<html", b"<head")):
            return MusicHelperError(
                _("The file is a web page, not music."),
                _("The download went wrong, perhaps for want of a login; download it again."),
            )
        if head.startswith(_ARCHIVES):
            return MusicHelperError(
                _("The file is an archive, not music."), _("Unpack it and put the music from it here.")
            )
        if head.startswith((*_PICTURES, *_DOCUMENTS, *_PROGRAMS)):
            return MusicHelperError(
                _("The file is a picture, a document or a program, not music."),
                _("It has a wrong name; take it away."),
            )
        if _is_locked(file, head):
            return MusicHelperError(
                _("The file is protected against copying (DRM)."),
                _("Get it without protection from where you bought it; no program may open it otherwise."),
            )
        if head.startswith(b"ID3") and len(head) >= 10:
            end = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
            return _only_tags(size - end) if size - end < _TWO_FRAMES else None
        if head.startswith(b"TAG") and size <= 128 * 2:
            return _only_tags(0)
        return cut_off() if _ends_inside(file, head, size) else None


def _only_tags(left: int) -> MusicHelperError:
    if left < 0 or left > 128:  # one ID3v1 tag
        return cut_off()
    return MusicHelperError(
        _("There are only tags in the file, no sound."),
        _("Copy or download it again; it may not have been complete."),
    )


def _rest(file: BinaryIO) -> bool:
    """Whether anything but zeros follows."""
    while block := file.read(1 << 20):
        if block.strip(b"\0"):
            return True
    return False


def _is_locked(file: BinaryIO, head: bytes) -> bool:
    if head.startswith(_ASF):
        return any(lock in head for lock in _ASF_LOCKS)
    if head[4:8] != b"ftyp":
        return False
    if head[8:12] in (b"aax ", b"aaxc"):
        return True
    for kind, start, length in _boxes(file):
        if kind == b"moov":
            file.seek(start)
            index = file.read(min(length, _LARGEST_INDEX))
            return b"drms" in index or (b"enca" in index and b"sinf" in index)
    return False


def _ends_inside(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether the file ends before its own structure does."""
    if head[4:8] == b"ftyp":
        kinds = set()
        for kind, start, length in _boxes(file):
            kinds.add(kind)
            if start + length > size:
                return True
        return b"moov" not in kinds or not kinds & {b"mdat", b"moof"}
    if head.startswith(b"fLaC"):
        place, last = 4, False
        while not last:
            file.seek(place)
            block = file.read(4)
            if len(block) < 4:
                return True
            last = bool(block[0] & 0x80)
            place += 4 + int.from_bytes(block[1:], "big")
        return place >= size
    if head.startswith(_ASF) and len(head) >= 24:
        place = struct.unpack("<Q", head[16:24])[0]
        if place + 24 > size:
            return True
        file.seek(place + 16)
        return bool(place + struct.unpack("<Q", file.read(8))[0] > size)
    if head[:4] in (b"RIFF", b"FORM"):
        length = struct.unpack("<I" if head[:4] == b"RIFF" else ">I", head[4:8])[0]
        return bool(length < 0x7FFFFFFF and length + 8 > size + 1)
    return False


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The outermost boxes of an MP4 file: kind, start and length with the header (ISO/IEC 14496-12)."""
    size = file.seek(0, os.SEEK_END)
    place = 0
    for _number in range(1000):
        file.seek(place)
        box = file.read(16)
        if len(box) < 8:
            return
        length, kind = struct.unpack(">I4s", box[:8])
        if length == 1 and len(box) == 16:
            length = struct.unpack(">Q", box[8:])[0]
        elif length == 0:
            length = size - place
        if length < 8:
            return
        yield kind, place, length
        place += length
