"""Taking stems out of a sound, where a plug-in for that is installed.

A plug-in is an entry point of the group `musichelper.separators`; called without arguments it gives an
object with the method of `Separator`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol

from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROUP = "musichelper.separators"
STEMS = ("vocals", "drums", "bass", "other")


class Separator(Protocol):
    """What takes a sound apart."""

    def stems(self, sound: NDArray[np.float32], rate: int) -> Mapping[str, NDArray[np.float32]]:
        """The parts of a sound `[channels, samples]` by their names, which are those of `STEMS`, each as long
        as the sound and with one channel or as many."""


def separator_name() -> str | None:
    """The installed plug-in, with its version; None where there is none."""
    found = _plug_in()
    if found is None:
        return None
    return found.name if found.dist is None else f"{found.name}-{found.dist.version}"


def require_separator() -> None:
    """Raise `CallError` where there is no plug-in."""
    if _plug_in() is None:
        raise CallError(
            _("No stem separator is installed."),
            _("Install a plug-in of the group {group}, or train on the whole sound.").format(group=GROUP),
        )


def without(sound: NDArray[np.float32], rate: int, stems: Collection[str]) -> NDArray[np.float32]:
    """The sound `[channels, samples]` as the sum of its other stems; as it is where there is no plug-in.

    Raises `MusicHelperError` where the plug-in fails.
    """
    import numpy as np

    found = _plug_in()
    if found is None or not stems:
        return sound
    try:
        parts = {name: np.asarray(part, np.float32) for name, part in _made(found).stems(sound, rate).items()}
        if not parts or not parts.keys() <= set(STEMS):
            raise ValueError(f"stems() gave {sorted(parts)}")
        for name, part in parts.items():
            if part.shape not in (sound.shape, (1, sound.shape[1])):
                raise ValueError(f"stems() gave {name} of shape {part.shape}")
        kept = np.zeros_like(sound)
        for name, part in parts.items():
            if name not in stems:
                kept += part
    except Exception as error:  # a stranger's code
        raise MusicHelperError(
            _("The separator “{name}” failed: {reason}.").format(name=found.name, reason=error),
            _("Uninstall it, or go on without taking stems out."),
        ) from error
    return kept


def _plug_in() -> EntryPoint | None:
    return next(iter(entry_points(group=GROUP)), None)


@lru_cache(maxsize=1)
def _made(found: EntryPoint) -> Separator:
    separator: Separator = found.load()()
    return separator
