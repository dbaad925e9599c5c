"""Proposals for what comes in later."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from assistant.errors import MusicHelperError
from assistant.label import proposer
from assistant.library.library import Library


def test_without_a_classifier_nothing_is_proposed(library: Library) -> None:
    assert proposer.propose_for_new(library) == 0


def _run(
    library: Library, monkeypatch: pytest.MonkeyPatch, work: Callable[[Library], int], notes: int
) -> tuple[list[int], list[str]]:
    proposed: list[int] = []
    errors: list[str] = []
    heard = threading.Event()
    monkeypatch.setattr(proposer, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(proposer, "propose_for_new", work)

    def on_proposed(count: int) -> None:
        proposed.append(count)
        heard.set()

    def on_error(error: MusicHelperError) -> None:
        errors.append(error.title)
        heard.set()

    background = proposer.Proposer(library.root, library.settings, on_proposed, on_error)
    for _number in range(notes):
        background.note()
    assert heard.wait(5.0)
    background.close()
    background._thread.join(5.0)
    assert not background._thread.is_alive()
    return proposed, errors


def test_a_group_of_tracks_is_proposed_for_at_once(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(library, monkeypatch, lambda _library: 7, notes=7) == ([7], [])


def test_an_error_is_told_and_ends_nothing(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_library: Library) -> int:
        raise MusicHelperError("The classifier is damaged.")

    assert _run(library, monkeypatch, fail, notes=1) == ([], ["The classifier is damaged."])
