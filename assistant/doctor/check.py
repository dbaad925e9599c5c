"""A finding about the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assistant.config import Settings
from assistant.library.library import Library

GIB = 1024**3


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    """For programs; the same in every language."""
    ok: bool
    detail: str
    """What was found."""
    hint: str = ""
    """What to do; sometimes also where nothing is wrong but something could be better."""
    title: str = ""
    """The name for people."""
    needed: bool = False
    """Where this is not ok, the main job does not work."""


Look = Callable[[Library | None, Settings], Iterator[Check]]


def finding(
    name: str, title: str, good: bool, detail: str, advice: str = "", *, needed: bool = False
) -> Check:
    """A finding whose advice is given only where it is not good."""
    return Check(name, good, detail, "" if good else advice, title, needed)
