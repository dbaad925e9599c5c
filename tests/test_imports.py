"""Importing is cheap: seen in fresh processes, as a graph cannot tell an early import from a late one."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys

import assistant
import tui

HEAVY = (
    "torch", "torchaudio", "audiocraft", "transformers", "xformers", "tensorflow", "keras", "librosa",
    "sklearn", "symusic", "av", "pretty_midi",
)  # fmt: skip
SCREEN = ("textual", "rich", "tui")

LATE = frozenset(
    f"assistant.musicgen.{name}"
    for name in (
        "adam8bit", "attention", "clip_sounds", "compiling", "engine.alone", "engine.codec",
        "engine.conditioning", "engine.decoder", "engine.engine", "engine.layers", "engine.products",
        "engine.rows", "engine.sampler", "engine.source", "engine.weights", "finish", "forward",
        "generation", "learner", "lora", "loss", "mini.codec", "mini.lm", "mini.losses", "mini.packaging",
        "mini.tokens", "optimizer", "preflight", "preparing", "samples", "sharding", "training",
    )
)  # fmt: skip
"""Imported only in a process of their own, where loading torch at the top is right."""

LOOKER = """
import importlib, json, sys, threading

names, forbidden = json.loads(sys.argv[1])
loaded_by = {}
for name in names:
    importlib.import_module(name)
    for heavy in forbidden:
        if heavy in sys.modules:
            loaded_by.setdefault(heavy, name)
print(json.dumps([loaded_by, threading.active_count()]))
"""


def modules(package: str) -> list[str]:
    path = importlib.import_module(package).__path__
    found = [module.name for module in pkgutil.walk_packages(path, f"{package}.")]
    # `__main__` runs when it is imported.
    return [package, *(name for name in found if name not in LATE and not name.endswith("__main__"))]


def look(names: list[str], forbidden: tuple[str, ...]) -> None:
    """Import in one fresh process; whatever is forbidden is put down to the module that first loads it."""
    answer = subprocess.run(
        [sys.executable, "-c", LOOKER, json.dumps([names, forbidden])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    loaded_by, threads = json.loads(answer.stdout)
    assert loaded_by == {}
    assert threads == 1, "importing started a thread"


def test_the_library_loads_nothing_heavy_and_no_screen() -> None:
    names = modules(assistant.__name__)
    assert len(names) > 40
    look(names, (*HEAVY, *SCREEN))


def test_the_app_loads_nothing_heavy() -> None:
    names = modules(tui.__name__)
    look(names, HEAVY)


def test_the_entry_points_load_nothing_heavy() -> None:
    for name in ("assistant.cli", "tui.__main__"):
        look([name], HEAVY)


def test_the_list_of_late_modules_is_true() -> None:
    for name in LATE:
        assert importlib.util.find_spec(name) is not None
