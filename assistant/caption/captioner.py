"""Who writes the captions: the built-in templates, or a plug-in of another package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Protocol

from assistant.audio.tags import clean
from assistant.caption.words import Known, describe
from assistant.config import CaptionSettings
from assistant.errors import CallError
from assistant.i18n import _

GROUP = "musichelper.captioners"
BUILT_IN = "templates"
_LONGEST = 2000


class Captioner(Protocol):
    """What a plug-in's entry point gives when it is called without arguments."""

    def caption(self, known: Known) -> str:
        """One or two English sentences about a track. May raise anything: that costs this caption only."""


@dataclass(frozen=True)
class Caption:
    """A caption, and what went wrong where it is not by the captioner that was asked for."""

    text: str
    problem: str = ""


def write_words(known: Known, settings: CaptionSettings) -> Caption:
    """The caption of a track by the configured captioner, or by the built-in one where that fails."""
    ours = describe(known, settings.templates)
    if settings.captioner == BUILT_IN:
        return Caption(ours)
    try:
        theirs = load(settings.captioner).caption(known)
        if not isinstance(theirs, str):
            raise TypeError(f"caption() gave {type(theirs).__name__}, not str")
    except (Exception, SystemExit) as error:  # a stranger's code
        return Caption(ours, _problem(settings.captioner, f"{type(error).__name__}: {error}"))
    text = clean(theirs, longest=_LONGEST)
    return Caption(text) if text else Caption(ours, _problem(settings.captioner, _("it gave no text")))


@lru_cache(maxsize=4)
def load(name: str) -> Captioner:
    """The plug-in of this name. Raises `KeyError` where there is none; its own code may raise anything."""
    captioner: Captioner = entry_points(group=GROUP)[name].load()()
    return captioner


def check_captioner(settings: CaptionSettings) -> None:
    """Raise `CallError` where the configured captioner is not installed."""
    names = [BUILT_IN, *sorted(entry_points(group=GROUP).names)]
    if settings.captioner not in names:
        raise CallError(
            _("No captioner “{name}” is installed.").format(name=settings.captioner),
            _("Set caption.captioner to one of these: {names}.").format(names=", ".join(names)),
        )


def _problem(name: str, reason: str) -> str:
    return _("The captioner “{name}” failed, and the built-in one was used: {reason}.").format(
        name=name, reason=clean(reason)
    )
