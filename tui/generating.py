"""The form for clips: its fields, and the values that a clip's recipe stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assistant.config import Settings
from assistant.i18n import _
from tui.text import visible
from tui.widgets.form import Field, Option

if TYPE_CHECKING:
    from assistant.library.ledger import ClipRow
    from assistant.musicgen.models import ModelInfo

FROM_RECIPE = ("prompt", "model", "duration", "temperature", "top_k", "top_p", "cfg", "continue_from")
HISTORY_KEPT = 100


def start_values(settings: Settings) -> dict[str, Any]:
    """The form at its first opening."""
    section = settings.generate
    return {
        "prompt": "",
        "model": settings.musicgen.model,
        "duration": section.duration,
        "count": 1,
        "seed": None,
        "temperature": section.temperature,
        "top_k": section.top_k,
        "top_p": section.top_p,
        "cfg": section.cfg,
        "continue_from": None,
        "format": "wav",
    }


def fields(models: Sequence[ModelInfo]) -> list[Field]:
    """The lines of the form, in the language in use."""
    return [
        Field("model", _("Model"), "choice", options=[model_option(model) for model in models]),
        Field("duration", _("Seconds"), "number", step=1, least=0.5),
        Field("count", _("Clips"), "whole", step=1, least=1),
        Field(
            "seed",
            _("Seed"),
            "whole",
            step=1,
            least=0,
            empty=_("by chance"),
            help=_("The same seed gives the same clip. Empty: by chance."),
        ),
        Field("temperature", _("Temperature"), "number", step=0.1, least=0),
        Field("top_k", "Top-k", "whole", step=50, least=0, zero=_("all")),
        Field("top_p", "Top-p", "number", step=0.05, least=0, zero=_("off")),
        Field("cfg", _("Guidance"), "number", step=0.5, least=0),
        Field(
            "continue_from", _("Go on from"), empty=_("nothing"), help=_("A clip or a track; empty: nothing.")
        ),
        Field(
            "format",
            _("File"),
            "choice",
            options=[Option(name, name) for name in ("wav", "flac", "ogg", "mp3")],
        ),
    ]


def model_option(model: ModelInfo) -> Option:
    """A model with its size and licence."""
    size = f"{model.parameters / 1e6:,.0f} M" if model.parameters else ""
    here = "" if model.present else _("not here yet")
    return Option(model.name, model.name, "  ".join(part for part in (model.licence, size, here) if part))


def spec_values(values: dict[str, Any]) -> dict[str, Any]:
    """The form's values as fields of `GenerateSpec`."""
    chosen = dict(values)
    chosen["prompt"] = str(values.get("prompt") or "").strip()
    chosen["continue_from"] = values.get("continue_from") or None
    return chosen


def from_recipe(recipe: dict[str, Any], *, seed: bool) -> dict[str, Any]:
    """What of a clip's recipe goes back into the form; its seed too, or one by chance."""
    values = {name: recipe[name] for name in FROM_RECIPE if name in recipe}
    values["seed"] = recipe.get("seed") if seed else None
    values["count"] = 1
    return values


def prompt_history(clips: Sequence[ClipRow], typed: Sequence[str]) -> list[str]:
    """Earlier prompts, the last one first, each once."""
    said = [*reversed(typed), *(str(clip.recipe.get("prompt") or "") for clip in clips)]
    return [prompt for prompt in dict.fromkeys(said) if prompt][:HISTORY_KEPT]


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
