"""Copies of clips for elsewhere: another kind of file, another loudness, the recipe kept inside.

Also a worker of its own: see `workers`.
"""

from __future__ import annotations

from pathlib import Path

from assistant.audio.metadata import read_comment
from assistant.audio.read import read_audio
from assistant.audio.write import write_audio
from assistant.errors import CallError
from assistant.i18n import _
from assistant.musicgen.spec import FORMATS
from assistant.workers import Emit, Message, serve


def export_clip(path: Path, folder: Path, form: str, loudness: float) -> Path:
    """Write a copy into a folder, in one of `FORMATS` and at a loudness in LUFS; returns its path.

    A name that is taken gets a number. Raises `CallError` for a folder that cannot be written to and
    `FileError` for a file that cannot be read.
    """
    if form not in FORMATS:
        raise CallError(
            _("Audio cannot be written as {suffix!r}.").format(suffix=form),
            _("Use one of these: {suffixes}.").format(suffixes=", ".join(FORMATS)),
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CallError(
            _("The folder {folder} cannot be made: {reason}.").format(folder=folder, reason=error.strerror),
            _("Choose a folder that you may write to."),
        ) from error
    samples, rate = read_audio(path)
    target, number = folder / f"{path.stem}.{form}", 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}.{form}"
    return write_audio(target, samples, rate, loudness=loudness, comment=read_comment(path))


def _export(request: Message, _emit: Emit) -> Message:
    path = export_clip(Path(request["path"]), Path(request["folder"]), request["format"], request["loudness"])
    return {"path": str(path)}


if __name__ == "__main__":
    serve({"export": _export})
