"""Which files are music: by name for the scan, by content for the decoder."""

from __future__ import annotations

from enum import Enum

from assistant.files import is_temporary

MIDI_SUFFIXES = frozenset({".mid", ".midi", ".kar", ".rmi"})
TRACKER_SUFFIXES = frozenset({".mod", ".xm", ".it", ".s3m", ".mptm", ".stm", ".mtm", ".med", ".669", ".okt"})
AUDIO_SUFFIXES = frozenset(
    {
        ".wav", ".wave", ".rf64", ".w64", ".bwf", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf",
        ".flac", ".ogg", ".oga", ".opus", ".spx", ".mp3", ".mp2", ".mpga",
        ".m4a", ".m4b", ".m4p", ".aax", ".mp4", ".aac", ".alac", ".ac3", ".wma", ".asf", ".mka", ".webm",
        ".ape", ".wv", ".mpc", ".tta", ".dsf",
    }
)  # fmt: skip
SUFFIXES = AUDIO_SUFFIXES | MIDI_SUFFIXES | TRACKER_SUFFIXES
"""Suffixes of files that a person means as music."""

_PARTIAL_SUFFIXES = (".part", ".partial", ".crdownload", ".download", ".tmp", ".temp", ".!qb", ".aria2")


class Content(Enum):
    """What the first bytes of a file say it is."""

    MIDI = "MIDI"
    TRACKER = "tracker module"
    PLAYLIST = "playlist"
    TEXT = "text"
    WAV = "WAV"
    AIFF = "AIFF"
    FLAC = "FLAC"
    OGG = "Ogg"
    OPUS = "Opus"
    OTHER = "other"


def suffix_of(name: str) -> str:
    """The suffix in lower case, with its dot; empty where there is none."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def is_source_name(name: str) -> bool:
    """Whether a file of this name is music that a person put there; only the name is looked at.

    Hidden files, temporary names and unfinished downloads are not.
    """
    if name.startswith((".", "~")) or is_temporary(name) or name.lower().endswith(_PARTIAL_SUFFIXES):
        return False
    return suffix_of(name) in SUFFIXES


def sniff(head: bytes) -> Content:
    """What a file is by its first 2 KiB."""
    if head.startswith(b"MThd") or (head.startswith(b"RIFF") and head[8:12] == b"RMID"):
        return Content.MIDI
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE":
        return Content.WAV
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        return Content.AIFF
    if head.startswith(b"fLaC"):
        return Content.FLAC
    if head.startswith(b"OggS"):
        return Content.OPUS if b"OpusHead" in head[:64] else Content.OGG
    if _is_tracker(head):
        return Content.TRACKER
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"#extm3u", b"ffconcat", b"[playlist]", b"[reference]", b"<asx", b"<?xml", b"<smil")):
        return Content.PLAYLIST
    if text and b"\0" not in head and _is_text(head):
        return Content.TEXT
    return Content.OTHER


def _is_tracker(head: bytes) -> bool:
    if head.startswith((b"Extended Module: ", b"IMPM", b"MTM\x10", b"OKTASONG", b"if\x20\x20")):
        return True
    if head[44:48] == b"SCRM" or head[20:28] in (b"!Scream!", b"BMOD2STM"):
        return True
    mark = head[1080:1084]
    return mark in (b"M.K.", b"M!K!", b"FLT4", b"FLT8", b"OCTA", b"CD81") or (
        (len(mark) == 4 and mark[1:] == b"CHN") or (mark[2:] == b"CH" and mark[:2].isdigit())
    )


def _is_text(head: bytes) -> bool:
    printable = sum(byte >= 32 or byte in b"\t\r\n" for byte in head)
    try:
        head[: len(head) - 4].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return printable > 0.95 * len(head)
