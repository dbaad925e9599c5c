"""The watcher's state in words, for the command line and the screen."""

from __future__ import annotations

import time
from typing import Any

from assistant.i18n import _, ngettext


def watch_words(state: dict[str, Any]) -> list[str]:
    """What new files are found by (what notices missed, scans found), the limit used, the last full scan.

    `state` is that of `watch_state`; an empty list where it says nothing of these.
    """
    if not state.get("running") or state.get("backend") not in ("inotify", "scan"):
        return []
    missed = state.get("missed", 0)
    told = ngettext("system notices, {count} file missed", "system notices, {count} files missed", missed)
    words = [told.format(count=missed) if state["backend"] == "inotify" else _("regular scans only")]
    if state.get("watch_limit"):
        words.append(
            _("{used} of {limit} watches").format(used=state.get("watches", 0), limit=state["watch_limit"])
        )
    if state.get("last_scan"):
        words.append(_("last scan {time}").format(time=_clock(state["last_scan"])))
    return words


def watch_warning(state: dict[str, Any]) -> str:
    """What is wrong with the watching and what to do about it; empty where all is well."""
    if not state.get("running"):
        return ""
    return f"{state.get('note', '')} {state.get('hint', '')}".strip()


def _clock(moment: float) -> str:
    """The time of day; with the date where that was not today."""
    then, today = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M:%S" if then[:3] == today[:3] else "%Y-%m-%d %H:%M:%S", then)
