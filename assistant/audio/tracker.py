"""Tracker modules (MOD, XM, IT, S3M and relatives) to sound, by libopenmpt where it is installed.

Runs in the decoder process; only `library_version` is for others.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio.decode import BLOCK_FRAMES, Samples, Sound
from assistant.errors import MusicHelperError
from assistant.i18n import _

RATE = 44100
MAX_BYTES = 64 << 20
PACKAGE = "libopenmpt0"
_NAMES = ("libopenmpt.so.0", "libopenmpt.so")


def library_version() -> str:
    """The version of libopenmpt, as in "0.6.9"; empty where it is not installed."""
    library = _library()
    if library is None:
        return ""
    number = int(library.openmpt_get_library_version())
    return f"{number >> 24}.{number >> 16 & 0xFF}.{number >> 8 & 0xFF}"


def open_module(path: Path) -> Sound:
    """A module as a stereo stream, played once from its beginning to its end.

    Raises `MusicHelperError` where libopenmpt is missing or cannot read the file.
    """
    library = _library()
    if library is None:
        raise MusicHelperError(
            _("Tracker modules (MOD, XM, IT, S3M) need libopenmpt, which is not installed."),
            _("Install it with `sudo apt install {package}`, or export the file as WAV.").format(
                package=PACKAGE
            ),
        )
    if path.stat().st_size > MAX_BYTES:
        raise _damaged()
    data = path.read_bytes()
    with _module(library, data) as module:
        seconds = float(library.openmpt_module_get_duration_seconds(module))
    if not math.isfinite(seconds):
        seconds = 1e12

    def blocks() -> Iterator[Samples]:
        buffer = np.zeros((BLOCK_FRAMES, 2), np.float32)
        pointer = buffer.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        with _module(library, data) as module:
            while frames := library.openmpt_module_read_interleaved_float_stereo(
                module, RATE, BLOCK_FRAMES, pointer
            ):
                yield buffer[:frames].copy()

    return Sound(rate=RATE, channels=2, source_channels=2, codec="module", declared=seconds, blocks=blocks)


def _damaged() -> MusicHelperError:
    return MusicHelperError(
        _("The tracker module is damaged and cannot be read."),
        _("Play it in a tracker program such as OpenMPT, and export it as WAV."),
    )


@contextmanager
def _module(library: Any, data: bytes) -> Iterator[Any]:
    """An opened module. What the library has to say about it is not asked for."""
    module = library.openmpt_module_create_from_memory2(
        data, len(data), _SILENT, None, _FORGET, None, None, None, None
    )
    if not module:
        raise _damaged()
    try:
        yield module
    finally:
        library.openmpt_module_destroy(module)


_LogFunction = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)
_ErrorFunction = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
_SILENT = _LogFunction(lambda _message, _user: None)
_FORGET = _ErrorFunction(lambda _error, _user: 0)


@cache
def _library() -> Any:
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        return None
    for function, result, arguments in (
        ("openmpt_get_library_version", ctypes.c_uint32, ()),
        (
            "openmpt_module_create_from_memory2",
            ctypes.c_void_p,
            (
                ctypes.c_char_p,
                ctypes.c_size_t,
                _LogFunction,
                ctypes.c_void_p,
                _ErrorFunction,
                ctypes.c_void_p,
                ctypes.POINTER(ctypes.c_int),
                ctypes.POINTER(ctypes.c_char_p),
                ctypes.c_void_p,
            ),
        ),
        ("openmpt_module_destroy", None, (ctypes.c_void_p,)),
        ("openmpt_module_get_duration_seconds", ctypes.c_double, (ctypes.c_void_p,)),
        (
            "openmpt_module_read_interleaved_float_stereo",
            ctypes.c_size_t,
            (ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t, ctypes.POINTER(ctypes.c_float)),
        ),
    ):
        found = getattr(library, function)
        found.restype, found.argtypes = result, arguments
    return library
