"""The form for clips: its fields, and the values that a clip's recipe stands for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assistant.config import Settings
from assistant.i18n import _
from tui.setting_fields import SEPARATOR, as_chosen, as_shown, fields_of, texts_in
from tui.text import visible
from tui.widgets.form import Field, Option

if TYPE_CHECKING:
    from assistant.library.ledger import ClipRow
    from assistant.musicgen.models import ModelInfo

FIRST = (
    "model",
    "duration",
    "count",
    "seed",
    "temperature",
    "top_k",
    "top_p",
    "cfg",
    "continue_from",
    "melody",
)
ELSEWHERE = ("prompt", "prompts", "out")
"""Settings that the form does not have: the prompt has a line of its own, and the clips go into the
library."""
ENGLISH = {"prompt": "english", "then": "then_english"}
"""The settings that say in English what another one says."""
NOT_REUSED = ("prompts", "count", "out", "device", "precision", "seed")
HISTORY_KEPT = 100
VARIATIONS = 4


def start_values(settings: Settings) -> dict[str, Any]:
    """The form at its first opening."""
    from assistant.musicgen.clip_meanings import generate_meanings
    from assistant.musicgen.spec import GenerateSpec

    return as_shown(GenerateSpec.from_settings(settings).as_dict(), generate_meanings())


def fields(models: Sequence[ModelInfo], values: Mapping[str, Any]) -> list[Field]:
    """The lines of the form, in the language in use; those for English where a prompt is not."""
    from assistant.musicgen.clip_meanings import generate_meanings
    from assistant.musicgen.prompts import is_chinese

    options = [model_option(model) for model in models]
    needed = [
        english
        for prompt, english in ENGLISH.items()
        if values.get(english) or is_chinese(str(values.get(prompt) or ""))
    ]
    return fields_of(
        generate_meanings(),
        first=(*needed, *FIRST),
        without=(*ELSEWHERE, *ENGLISH.values()),
        changes={"model": {"kind": "choice", "options": options}},
    )


def model_option(model: ModelInfo) -> Option:
    """A model with its size and licence."""
    size = f"{model.parameters / 1e6:,.0f} M" if model.parameters else ""
    here = "" if model.present else _("not here yet")
    return Option(model.name, model.name, "  ".join(part for part in (model.licence, size, here) if part))


def spec_values(values: dict[str, Any]) -> dict[str, Any]:
    """The form's values as fields of `GenerateSpec`."""
    from assistant.musicgen.clip_meanings import generate_meanings

    prompt = str(values.get("prompt") or "").strip()
    return as_chosen({**values, "prompt": prompt}, generate_meanings())


def from_recipe(recipe: dict[str, Any], *, seed: bool) -> dict[str, Any]:
    """What of a clip's recipe goes back into the form; its seed too, or one by chance."""
    from assistant.musicgen.clip_meanings import generate_meanings
    from assistant.musicgen.spec import GenerateSpec

    names = [field.name for field in dataclasses.fields(GenerateSpec) if field.name not in NOT_REUSED]
    values = as_shown({name: recipe[name] for name in names if name in recipe}, generate_meanings())
    values["seed"] = recipe.get("seed") if seed else None
    values["count"] = 1
    return values


def prompt_history(clips: Sequence[ClipRow], typed: Sequence[str]) -> list[str]:
    """Earlier prompts, the last one first, each once."""
    said = [*reversed(typed), *(str(clip.recipe.get("prompt") or "") for clip in clips)]
    return [prompt for prompt in dict.fromkeys(said) if prompt][:HISTORY_KEPT]


def english_of(text: str, *, several: bool) -> str:
    """What the model is told for a prompt, or for several with semicolons between them; empty where it is
    told just that, or where a part is not understood. The dictionary may take half a second to load."""
    from assistant.musicgen.prompts import is_chinese, translate

    if not is_chinese(text):
        return ""
    told = [translate(part).english for part in (texts_in(text) if several else (text,))]
    return f"{SEPARATOR} ".join(told) if all(told) else ""


def english_words(prompt: str) -> str:
    """What the model is told for a Chinese prompt, in a line; empty for an English one."""
    from assistant.musicgen.prompts import is_chinese, translate

    if not is_chinese(prompt):
        return ""
    found = translate(prompt)
    words = _("The model is told: {english}").format(english=found.english or "–")
    if found.unknown:
        words += "\n" + _("Not understood: {words}.").format(words=", ".join(found.unknown))
    return words


def recipe_line(clip: ClipRow) -> str:
    """The recipe in a line."""
    recipe = clip.recipe
    parts = [
        _("seed {seed}").format(seed=recipe.get("seed", "?")),
        f"T {recipe.get('temperature', '?')}",
        f"k {recipe.get('top_k', '?')}",
        f"cfg {recipe.get('cfg', '?')}",
        visible(str(recipe.get("model", "?"))),
    ]
    return "  ".join(parts)


def marks(clip: ClipRow) -> str:
    """What the person thinks of a clip, in four cells."""
    favourite = "*" if clip.favourite else " "
    rating = str(clip.rating) if clip.rating else " "
    return f"{favourite}{rating}{'n' if clip.note else ' '} "


def other_model(clip: ClipRow, models: Sequence[ModelInfo], chosen: str) -> str | None:
    """The model to set beside the one of a clip: its base, or the chosen one where it has none."""
    made_by = str(clip.recipe.get("model") or "")
    base = next((model.base for model in models if model.name == made_by), None)
    return base or (chosen if chosen != made_by else None)
