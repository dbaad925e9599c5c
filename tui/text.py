"""Text for the screen: names of files made harmless, and numbers made short."""

from __future__ import annotations

import os
import time
import unicodedata
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from assistant.i18n import _, ngettext

ELLIPSIS = "…"

# Controls, bidirectional and other invisible formatting, surrogates, line and paragraph separators.
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(value: str | Path) -> str:
    """The text with each character that could not be seen, or would move others, written as a code."""
    text = os.fspath(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_code(char) if unicodedata.category(char) in _HIDDEN else char for char in text)


def _code(char: str) -> str:
    number = ord(char)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def len_cells(text: str) -> int:
    """Width on the screen."""
    return cell_len(text)


def fit(text: str, cells: int) -> str:
    """Cut at the end to at most this many cells."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(0, cells - 1)).rstrip() + ELLIPSIS if cells > 0 else ""


def fit_middle(text: str, cells: int) -> str:
    """Cut in the middle to at most this many cells: the end of a file name tells most."""
    if cell_len(text) <= cells:
        return text
    if cells < 5:
        return fit(text, cells)
    tail = ""
    for char in reversed(text):
        if cell_len(tail) + cell_len(char) > (cells - 1) // 2:
            break
        tail = char + tail
    return set_cell_size(text, cells - 1 - cell_len(tail)).rstrip() + ELLIPSIS + tail


def pad(text: str, cells: int, *, right: bool = False) -> str:
    """Exactly this many cells: cut, or filled with spaces (on the left with `right`)."""
    text = fit(text, cells)
    space = " " * (cells - cell_len(text))
    return space + text if right else text + space


def clock(seconds: float | None) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    if seconds is None:
        return "–:––"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def span(seconds: float) -> str:
    """A stretch of time in words: seconds, minutes or hours."""
    if seconds < 60:
        return _("{count} s").format(count=round(seconds))
    if seconds < 3600:
        return _("{count} min").format(count=round(seconds / 60))
    return _("{count:.1f} h").format(count=seconds / 3600)


def ago(moment: float, now: float | None = None) -> str:
    """How long ago a Unix time was."""
    seconds = max(0.0, (time.time() if now is None else now) - moment)
    if seconds < 5:
        return _("now")
    if seconds < 86400:
        return _("{time} ago").format(time=span(seconds))
    days = round(seconds / 86400)
    return ngettext("{days} day ago", "{days} days ago", days).format(days=days)


def size(count: float) -> str:
    """A number of bytes in binary units."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"


def bar(share: float, cells: int) -> str:
    """A bar of eighth blocks filled to a share between 0 and 1."""
    eighths = round(min(1.0, max(0.0, share)) * cells * 8)
    full, part = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[part] if part else "")
