"""The pages by their names. Each is imported when it is first gone to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from textual.screen import Screen

_CLASSES = {
    "home": "HomeScreen",
    "intake": "IntakeScreen",
    "label": "LabelScreen",
    "train": "TrainScreen",
    "generate": "GenerateScreen",
    "runs": "RunsScreen",
    "settings": "SettingsScreen",
}


def _make(name: str) -> Screen[Any]:
    page = getattr(import_module(f"tui.screens.{name}"), _CLASSES[name])()
    assert isinstance(page, Screen)
    return page


PAGES: dict[str, str | Callable[[], Screen[Any]]] = {name: partial(_make, name) for name in _CLASSES}
"""What makes each page."""
