"""Facts about a track, each with its value, source and confidence; older files had them flat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fact = dict[str, Any]
"""value, source ("sound", "file", "notes", "musicnn", "tags", "name", "folder", "person"), confidence."""
Facts = Mapping[str, Mapping[str, Any]]

_FROM_FILE = ("instruments", "meter", "notes_per_second", "channels", "codec")


def fact(value: Any, source: str, confidence: float = 1.0) -> Fact:
    """A fact; `confidence` is 0 to 1."""
    return {"value": value, "source": source, "confidence": confidence}


def value(facts: Facts, name: str, otherwise: Any = None) -> Any:
    """The value of a fact."""
    return facts[name]["value"] if name in facts else otherwise


def source(facts: Facts, name: str) -> str:
    """Where a fact is from; empty for one that is not there."""
    return str(facts[name].get("source", "")) if name in facts else ""


def confidence(facts: Facts, name: str) -> float:
    """How sure a fact is; 0 for one that is not there."""
    return float(facts[name].get("confidence", 0.0)) if name in facts else 0.0


def upgraded(facts: Mapping[str, Any]) -> dict[str, Fact]:
    """Facts as they are written now, from these or from the flat ones of older files."""
    found = {}
    for name, item in facts.items():
        if isinstance(item, Mapping) and "value" in item:
            found[name] = dict(item)
        elif not name.endswith(("_source", "_confidence")) and item not in (None, ""):
            usual = "file" if name in _FROM_FILE else "sound"
            found[name] = fact(
                item, str(facts.get(f"{name}_source", usual)), float(facts.get(f"{name}_confidence", 1.0))
            )
    return found
