from __future__ import annotations

import re
from pathlib import Path

import pytest

from assistant.errors import CallError
from assistant.i18n import set_language
from tests.tui.pressed import read_pressed
from tui.actions import (
    ACTIONS,
    PALETTE_KEY,
    REDRAW_KEY,
    SCREENS,
    Action,
    Keys,
    action,
    actions_of,
    bindings_of,
)
from tui.app import MusicHelperApp
from tui.screens.page import Page


def test_ids_are_unique_and_the_table_has_no_clash() -> None:
    assert len({item.id for item in ACTIONS}) == len(ACTIONS)
    Keys()


def test_there_is_no_combination_but_two_that_every_terminal_knows() -> None:
    for item in ACTIONS:
        for key in item.keys:
            assert key in (PALETTE_KEY, REDRAW_KEY) or "+" not in key, item.id


def test_each_action_has_a_test_that_presses_its_key() -> None:
    pressed, tests = read_pressed(), set[str]()
    for path in Path(__file__).parent.glob("test_*.py"):
        tests |= set(re.findall(r"^async def (test_\w+)", path.read_text("utf-8"), re.MULTILINE))
    assert [item.id for item in ACTIONS if item.id not in pressed] == []
    assert {item.id for item in ACTIONS} >= pressed.keys()
    assert tests >= set(pressed.values())


NOT_OF_THE_LOOP = (  # the palette has them
    "label.all", "label.order", "label.reload", "label.caption", "label.why", "label.view", "label.autoplay",
)  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [item for item in actions_of("label") if item.footer and item.id not in NOT_OF_THE_LOOP],
    ids=lambda item: item.id,
)
def test_labelling_needs_no_letter(item: Action) -> None:
    """With an input method on, letters do not arrive; deciding and going on must work all the same."""
    assert any(len(key) > 1 or key.isdigit() for key in item.keys)


@pytest.mark.parametrize("screen", SCREENS)
def test_each_action_is_something_that_its_screen_can_do(screen: str) -> None:
    made = MusicHelperApp.MODES[screen]
    assert callable(made)
    module = __import__(f"tui.screens.{screen}", fromlist=["*"])
    page = next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Page) and getattr(value, "SCOPE", "") == screen
    )
    for item in actions_of(screen):
        owner: type = MusicHelperApp if item.call.startswith("app.") else page
        name = item.call.removeprefix("app.").partition("(")[0]
        assert hasattr(owner, f"action_{name}"), item.id
    for item in actions_of("app"):
        assert hasattr(MusicHelperApp, f"action_{item.call.partition('(')[0]}"), item.id


def test_own_keys_replace_those_of_the_table() -> None:
    keys = Keys({"label.accept": "y, enter"})
    assert keys.of("label.accept") == ("y", "enter")
    assert keys.keymap == {"label.accept": "y,enter"}
    assert keys.action_for("label", "y") == action("label.accept")
    assert keys.action_for("label", "a") is None


@pytest.mark.parametrize(
    ("own", "title", "hint"),
    [
        ({"label.acept": "y"}, "label.acept", "label.accept"),
        ({"label.accept": "s"}, "label.skip", "interface.keys"),
        ({"label.accept": "q"}, "app.quit", "interface.keys"),
        ({"label.accept": " "}, "label.accept", "enter"),
    ],
)
def test_wrong_keys_are_explained(own: dict[str, str], title: str, hint: str) -> None:
    with pytest.raises(CallError) as caught:
        Keys(own)
    assert title in caught.value.title
    assert hint in caught.value.hint


def test_bindings_have_the_ids_of_the_table() -> None:
    ids = {binding.id for binding in bindings_of("label", "app")}  # type: ignore[union-attr]
    assert ids == {item.id for scope in ("label", "app") for item in actions_of(scope)}


def test_words_follow_the_language() -> None:
    item = action("app.quit")
    english = item.label
    set_language("zh_TW")
    try:
        assert isinstance(item.label, str)
    finally:
        set_language("en")
    assert item.label == english == "Quit"
