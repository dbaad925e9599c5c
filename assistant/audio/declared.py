"""What a file says about its own length, where decoders pass over the end in silence."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # written by programs that could not seek back
_OGG_TAIL = 70_000  # an Ogg page is at most 65,307 bytes
_ASF_HEADER = 1 << 16
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MP3_RATES = (44100, 48000, 32000)


def chunk_share(path: Path) -> float:
    """The share of the declared sound data that a WAV, RF64, W64, AIFF, AU or CAF file really has, 0 to 1."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"riff":
            return _w64_share(file, size)
        if head[:4] == b"caff":
            return _caf_share(file, size)
        if head[:4] == b".snd" and len(head) == 12:
            start, length = struct.unpack(">II", head[4:])
            known = length and length not in _UNKNOWN_SIZES
            return max(0.0, min(1.0, (size - start) / length)) if known else 1.0
        if head[:4] not in (b"RIFF", b"RF64", b"FORM"):
            return 1.0
        order, name = (">", b"SSND") if head[:4] == b"FORM" else ("<", b"data")
        wide = None
        while len(chunk := file.read(8)) == 8:
            kind, length = struct.unpack(f"{order}4sI", chunk)
            here = file.tell()
            if kind == name:
                if length in _UNKNOWN_SIZES:
                    length = wide or 0
                return min(1.0, (size - here) / length) if length else 1.0
            if kind == b"ds64" and len(body := file.read(16)) == 16:
                wide = int(struct.unpack("<QQ", body)[1])
            file.seek(here + length + length % 2)
    return 1.0


def _w64_share(file: BinaryIO, size: int) -> float:
    file.seek(40)
    while len(chunk := file.read(24)) == 24:
        length = struct.unpack("<Q", chunk[16:])[0] - 24  # its own head is counted
        here = file.tell()
        if chunk[:4] == b"data":
            return min(1.0, (size - here) / length) if length > 0 else 1.0
        if length < 0:
            break
        file.seek(here + -(-length // 8) * 8)
    return 1.0


def _caf_share(file: BinaryIO, size: int) -> float:
    file.seek(8)
    while len(chunk := file.read(12)) == 12:
        kind, length = struct.unpack(">4sq", chunk)
        here = file.tell()
        if kind == b"data":
            return min(1.0, (size - here) / length) if length > 0 else 1.0
        if length < 0:
            break
        file.seek(here + length)
    return 1.0


def asf_seconds(path: Path) -> float | None:
    """The seconds that the File Properties Object of an ASF or WMA file declares; None for a broadcast.

    FFmpeg makes the length shorter where the file is (ASF specification, 3.2).
    """
    with path.open("rb") as file:
        header = file.read(_ASF_HEADER)
    at = header.find(_ASF_PROPERTIES)
    if at < 0 or len(header) < at + 92:
        return None
    length, _sending, preroll, flags = struct.unpack("<QQQI", header[at + 64 : at + 92])
    seconds = length / 1e7 - preroll / 1e3
    return seconds if seconds > 0 and not flags & 1 else None


def ogg_is_cut(path: Path) -> bool:
    """Whether an Ogg file ends inside a page, as a broken download does."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _OGG_TAIL))
        tail = file.read()
    start = tail.rfind(b"OggS\0")
    if start < 0 or len(tail) - start < 27:
        return start >= 0
    segments = tail[start + 27 : start + 27 + tail[start + 26]]
    return len(tail) - start < 27 + tail[start + 26] + sum(segments)


def mp3_seconds(path: Path) -> float | None:
    """The seconds that an MP3's Xing, Info or VBRI header declares; None where it says nothing.

    Where the header also has the number of bytes and the file has them, None too: then nothing is
    missing, whatever the count of frames says.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = _after_id3(file)
        file.seek(start)
        data = file.read(8192)
    sync = next((i for i in range(len(data) - 4) if data[i] == 0xFF and _is_frame(data[i : i + 4])), None)
    if sync is None:
        return None
    header = data[sync : sync + 4]
    version = (header[1] >> 3) & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    rate = _MP3_RATES[(header[2] >> 2) & 3] >> {3: 0, 2: 1, 0: 2}[version]
    mono = header[3] >> 6 == 3
    samples = 1152 if version == 3 else 576
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    frames = total = None
    info = data[sync + 4 + side : sync + 4 + side + 16]
    vbri = data[sync + 36 : sync + 36 + 18]
    if info[:4] in (b"Xing", b"Info") and len(info) == 16:
        flags, first, second = struct.unpack(">III", info[4:])
        frames = first if flags & 1 else None
        total = (second if flags & 1 else first) if flags & 2 else None
    elif vbri[:4] == b"VBRI" and len(vbri) == 18:
        total, frames = struct.unpack(">II", vbri[10:])
    if not frames or (total and size - start - sync >= 0.98 * total):
        return None
    return float(frames * samples / rate)


def _after_id3(file: BinaryIO) -> int:
    position = 0
    while True:
        file.seek(position, os.SEEK_SET)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            return position
        position += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _is_frame(header: bytes) -> bool:
    version, layer = (header[1] >> 3) & 3, (header[1] >> 1) & 3
    return (
        header[1] & 0xE0 == 0xE0
        and version != 1
        and layer == 1  # layer III
        and header[2] >> 4 not in (0, 15)
        and (header[2] >> 2) & 3 != 3
    )
