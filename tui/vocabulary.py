"""One vocabulary for every state that a screen shows: a mark, a word, a colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from textual.content import Content

from assistant.i18n import _, language


@dataclass(frozen=True)
class Status:
    """How a state is shown. The word, not the colour, carries the meaning."""

    mark: str
    word: str
    style: str

    def content(self, *, word: bool = True) -> Content:
        """The mark in its colour, with the word."""
        return Content.styled(f"{self.mark} {self.word}" if word else self.mark, self.style)


def status(state: str) -> Status:
    """The status of a track, a run, the watcher or a decision, in the language in use."""
    return _known(language()).get(state) or Status("?", state, "$dim")


@cache
def _known(_language: str) -> dict[str, Status]:
    """All of them; asked for with each row that is painted."""
    return {
        # tracks
        "waiting": Status("·", _("waiting"), "$dim"),
        "working": Status("▸", _("in work"), "$text-accent"),
        "ready": Status("■", _("ready"), "$text-success"),
        "failed": Status("×", _("failed"), "$text-error"),
        "missing": Status("?", _("missing"), "$text-warning"),
        # runs
        "queued": Status("·", _("queued"), "$dim"),
        "running": Status("▸", _("running"), "$text-accent"),
        "paused": Status("‖", _("paused"), "$text-warning"),
        "done": Status("■", _("done"), "$text-success"),
        "stopped": Status("□", _("stopped"), "$text-warning"),
        "lost": Status("?", _("lost"), "$text-error"),
        # the watcher
        "watching": Status("■", _("watching"), "$text-success"),
        "elsewhere": Status("□", _("watched elsewhere"), "$text-warning"),
        "unwatched": Status("×", _("not watched"), "$text-error"),
        "starting": Status("·", _("starting"), "$dim"),
        # decisions
        "open": Status("·", _("open"), "$dim"),
        "label": Status("■", _("labelled"), "$text-success"),
        "skip": Status("»", _("skipped"), "$text-warning"),
        "flag": Status("!", _("flagged"), "$text-warning"),
        "reject": Status("×", _("rejected"), "$text-error"),
        "new": Status("+", _("new"), "$text-accent"),
    }
