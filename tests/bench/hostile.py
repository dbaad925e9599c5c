"""Files made to do harm: whole ones of each format, damaged in many ways, and bombs."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from tests.made_sounds import midi, tone, write, write_av

_SECONDS = 0.4
GOOD_SECONDS = 0.3
_LARGE = 1 << 20


def seeds(folder: Path) -> list[Path]:
    """Twenty small whole files, one or two of each format."""
    sound = tone(_SECONDS, 44100)
    made = [
        write(folder / "a.wav", sound),
        write(folder / "float.wav", sound, 48000, subtype="FLOAT"),
        write(folder / "adpcm.wav", sound, subtype="MS_ADPCM"),
        write(folder / "a.w64", sound),
        write(folder / "a.aiff", sound),
        write(folder / "a.au", sound, subtype="ULAW"),
        write(folder / "a.caf", sound),
        write(folder / "a.flac", sound),
        write(folder / "mono24.flac", sound[:, :1], 96000, subtype="PCM_24"),
        write(folder / "a.ogg", sound),
        write(folder / "a.opus", tone(_SECONDS, 48000), 48000, format="OGG", subtype="OPUS"),
        write(folder / "a.mp3", sound),
        write(folder / "mono.mp3", tone(_SECONDS, 22050, 1), 22050),
        write_av(folder / "a.m4a", sound, 44100, "ipod", "aac"),
        write_av(folder / "a.mka", sound, 44100, "matroska", "ac3"),
        write_av(folder / "a.wma", sound, 44100, "asf", "wmav2"),
        write_av(folder / "a.aac", sound, 44100, "adts", "aac"),
        folder / "a.mid",
        folder / "dense.mid",
        folder / "tagged.mp3",
    ]
    made[17].write_bytes(midi([(0, 48, 60), (48, 96, 64)]))
    made[18].write_bytes(midi([(n * 4, n * 4 + 40, 40 + n % 40) for n in range(100)], tempo=300_000))
    frame = b"TIT2" + (20).to_bytes(4, "big") + b"\0\0\0" + b"A title of nineteen"
    tag = b"ID3\x03\0\0" + bytes([0, 0, 0, len(frame)]) + frame
    made[19].write_bytes(tag + made[11].read_bytes() + b"TAG" + b"x" * 125)
    return made


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them flipped, set to extremes, cut off, doubled, moved or overwritten."""
    work = bytearray(data)
    for _step in range(chance.choice((1, 1, 2, 4))):
        if not work:
            break
        kind = chance.randrange(7)
        # Headers are short and matter most.
        place = chance.randrange(min(len(work), 200) if chance.random() < 0.5 else len(work))
        if kind == 0:
            for _number in range(chance.choice((1, 3, 10, 100))):
                spot = chance.randrange(len(work)) if chance.random() < 0.5 else place
                if spot < len(work):
                    work[spot] ^= 1 << chance.randrange(8)
        elif kind == 1:
            size = chance.choice((1, 2, 4, 8))
            extreme = chance.choice((0, -1, 1 << (8 * size - 1), (1 << (8 * size - 1)) - 1))
            number = extreme % (1 << 8 * size)
            work[place : place + size] = number.to_bytes(size, chance.choice(("little", "big")))
        elif kind == 2:
            del work[place:]
        elif kind == 3:
            del work[place : place + chance.randrange(1, 500)]
        elif kind == 4:
            start = chance.randrange(len(work))
            work[place:place] = work[start : start + chance.randrange(1, 2000)]
        elif kind == 5:
            work[place : place + 64] = chance.randbytes(min(64, max(0, len(work) - place)))
        else:
            work += chance.choice((b"\0", b"\xff", data[:500])) * chance.randrange(1, 200)
    return bytes(work[:_LARGE])


def bomb(hours: float) -> bytes:
    """A FLAC of silence: a few megabytes for gigabytes of WAV."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.flac")
        silence = tone(60.0) * 0
        with soundfile.SoundFile(path, "w", 44100, 2) as file:
            for _minute in range(round(hours * 60)):
                file.write(silence)
        return path.read_bytes()


def endless_midi() -> bytes:
    """44 bytes of MIDI that last 142 years."""
    delta = b"\xff\xff\xff\x7f"
    track = b"\x00\xff\x51\x03\xff\xff\xff\x00\x90\x3c\x64" + delta + b"\x80\x3c\x00\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1) + b"MTrk" + struct.pack(">I", len(track)) + track


def odd_entries(folder: Path) -> None:
    """Seven entries that have a music file's name and are none, and a song."""
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as door:  # its path may have 107 bytes
        door.bind("door.mp3")
    os.mkfifo(folder / "pipe.mp3")
    (folder / "dangling.mp3").symlink_to("nowhere.mp3")
    (folder / "round.mp3").symlink_to("round.mp3")
    (folder / "device.wav").symlink_to("/dev/zero")
    (folder / "album.flac").mkdir()
    (folder / "none.mp3").touch()
    write(folder / "good.flac", tone(4.0))


def bad_among_good(folder: Path, bad: int, good: int) -> None:
    """Short FLACs in rock/, and MP3s of random bytes in jazz/."""
    for number in range(good):
        write(folder / f"rock/{number}.flac", tone(GOOD_SECONDS, pitch=100 + number))
    for number in range(bad):
        (folder / f"jazz/{number}.mp3").write_bytes(np.random.default_rng(number).bytes(5000))
