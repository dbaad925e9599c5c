"""Opening a sound file with libsndfile, whatever its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import soundfile


def open_sound(path: Path) -> soundfile.SoundFile:
    """A file to read from.

    By descriptor: libsndfile refuses paths over 1,024 bytes, and the binding names that are no Unicode.
    Raises `OSError`, or `soundfile.SoundFileError` for what is no sound file.
    """
    return _of_descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "r")


def create_sound(
    path: Path, rate: int, channels: int, subtype: str, container: str, **more: Any
) -> soundfile.SoundFile:
    """A file to write to; one that exists is emptied. `more` is for libsndfile. Raises as `open_sound`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    return _of_descriptor(descriptor, "w", rate, channels, subtype, format=container, **more)


def _of_descriptor(descriptor: int, *how: Any, **more: Any) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(descriptor, *how, **more)  # which closes it, also when it fails
    except soundfile.LibsndfileError as error:
        raise soundfile.LibsndfileError(error.code) from None  # without the descriptor's number
