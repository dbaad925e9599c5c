"""Which actions of the table are done in which test, by a press of their key.

`pressed.txt` names a test for each action. Each test is held to what it says of it, and a test of its own
finds actions that are missing there. After a change of the table of actions or of the tests:

    MUSICHELPER_WRITE_PRESSED=1 uv run pytest -n0 tests/tui
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.dom import DOMNode

from tui.actions import ACTIONS, Action
from tui.screens.label_keys import LabelKeys
from tui.widgets.caption_edit import CaptionEdit

PLACE = Path(__file__).with_name("pressed.txt")
WRITE = "MUSICHELPER_WRITE_PRESSED" in os.environ

_key: ContextVar[str] = ContextVar("key", default="")


def read_pressed() -> dict[str, str]:
    """The name of a test by the id of an action."""
    lines = PLACE.read_text("utf-8").splitlines() if PLACE.exists() else []
    return dict(line.split() for line in lines)


def write_pressed(found: Mapping[str, set[str]]) -> None:
    """Write a test for each action, the one there was where it still does it."""
    known, lines = read_pressed(), []
    for item in ACTIONS:
        tests = found.get(item.id, set())
        test = known.get(item.id)
        if tests and test not in tests:
            test = min(tests)
        if test is not None:
            lines.append(f"{item.id} {test}\n")
    PLACE.write_text("".join(lines), "utf-8")


def record(patch: pytest.MonkeyPatch) -> set[str]:
    """From now on the ids of actions that a key has done are put into the set."""
    done: set[str] = set()
    check, run, do = App._check_bindings, App.run_action, LabelKeys.do

    async def checked(self: App[Any], key: str, priority: bool = False) -> bool:
        token = _key.set(key)
        try:
            return await check(self, key, priority)
        finally:
            _key.reset(token)

    async def ran(self: App[Any], action: Any, default_namespace: DOMNode | None = None, *rest: Any) -> bool:
        bindings = (default_namespace or self)._bindings.key_to_bindings.get(_key.get(), [])
        ids = {binding.id for binding in bindings if binding.action == action and binding.id}
        found = await run(self, action, default_namespace, *rest)
        if found:
            done.update(ids)
        return found

    def decided(self: LabelKeys, action: Action) -> None:
        done.add(action.id)
        do(self, action)

    patch.setattr(App, "_check_bindings", checked)
    patch.setattr(App, "run_action", ran)
    patch.setattr(LabelKeys, "do", decided)
    for name in ("save", "close"):  # of the line where letters are text
        patch.setattr(CaptionEdit, f"action_{name}", _noting(done, f"caption.{name}"))
    return done


def _noting(done: set[str], action: str) -> Callable[[CaptionEdit], None]:
    does = getattr(CaptionEdit, f"action_{action.partition('.')[2]}")

    def do(self: CaptionEdit) -> None:
        done.add(action)
        does(self)

    return do
