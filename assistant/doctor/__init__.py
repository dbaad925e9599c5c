"""Looks at the machine and says in plain words what is there, what is missing and how to get it."""

from __future__ import annotations

from assistant.config import Settings
from assistant.doctor import folder, machine
from assistant.doctor.check import Check, Look
from assistant.i18n import _
from assistant.library.library import Library

__all__ = ["Check", "checks"]

_LOOKS: dict[str, Look] = {
    "python": machine.programs,
    "computer": machine.computer,
    "gpu": machine.gpu,
    "library": folder.music,
    "disk": folder.disk,
    "soundfont": folder.soundfont,
    "modules": machine.modules,
    "models": machine.models,
    "sound": machine.sound,
    "inotify": folder.inotify,
    "terminal": machine.terminal,
    "logout": machine.logout,
}


def checks(library: Library | None, settings: Settings) -> list[Check]:
    """All findings, in the order in which they matter. Takes a few seconds at most and never raises."""
    found: list[Check] = []
    for name, look in _LOOKS.items():
        try:
            found += look(library, settings)
        except Exception as error:  # a probe that breaks must not hide what the others found
            words = f"{type(error).__name__}: {error}"
            found.append(
                Check(name, False, _("This could not be looked at: {error}.").format(error=words), title=name)
            )
    return found
