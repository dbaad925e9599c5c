"""The configuration: what is read, and what is said about what cannot be."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import tomlkit

from assistant.config import Settings, load_settings
from assistant.errors import CallError

EXAMPLE = Path(__file__).parents[1] / "config.toml"


def test_the_commented_example_is_the_defaults() -> None:
    assert load_settings(EXAMPLE) == Settings()


def test_the_commented_example_names_every_setting() -> None:
    document = tomlkit.parse(EXAMPLE.read_text("utf-8")).unwrap()
    known = msgspec.to_builtins(Settings())
    assert {section: list(values) for section, values in document.items()} == {
        section: list(values) for section, values in known.items()
    }


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[musicgen]\nstep = 5", "musicgen.steps"),
        ("[musicgenn]\nsteps = 5", "musicgen"),
        ('[musicgen]\nsteps = "many"', "musicgen.steps"),
        ("[musicgen]\nsteps = -1", "musicgen.steps"),
        ("steps = = 5", "line 1"),
        ('[library]\ngenres = ["a/b"]', "a/b"),
        ("musicgen = 3", "musicgen"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(CallError) as caught:
        load_settings(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="cannot be read"):
        load_settings(tmp_path / "absent.toml")
