"""The fine-tune form: presets, fields and what they amount to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assistant.config import MusicGenSettings
from assistant.i18n import _, ngettext
from tui.text import span
from tui.widgets.form import Field, Option

if TYPE_CHECKING:
    from assistant.musicgen.models import ModelInfo
    from tui.snapshot import Snapshot

PRESETS = ("quick", "style", "full")
FROM_SETTINGS = (
    "model",
    "steps",
    "batch_size",
    "accumulation",
    "crop_seconds",
    "learning_rate",
    "validate_every",
    "checkpoint_every",
    "seed",
)


def preset_values(preset: str, settings: MusicGenSettings) -> dict[str, Any]:
    """The values of a preset: the configured ones, shorter for a quick try, longer for all music."""
    values: dict[str, Any] = {name: getattr(settings, name) for name in FROM_SETTINGS}
    if preset == "quick":
        values |= {
            "steps": max(1, min(60, settings.steps // 3)),
            "batch_size": min(2, settings.batch_size),
            "accumulation": 1,
            "crop_seconds": min(5.0, settings.crop_seconds),
            "validate_every": 20,
        }
    elif preset == "full":
        values |= {
            "steps": settings.steps * 10,
            "accumulation": settings.accumulation * 2,
            "crop_seconds": max(20.0, settings.crop_seconds),
            "validate_every": settings.validate_every * 2,
            "checkpoint_every": settings.checkpoint_every * 2,
        }
    return values


def start_values(settings: MusicGenSettings) -> dict[str, Any]:
    """The form at its first opening."""
    return {"preset": "style", "name": "", "genres": (), **preset_values("style", settings)}


def spec_values(values: dict[str, Any]) -> dict[str, Any]:
    """The form's values as fields of `FinetuneSpec`; without a name, one of style and date."""
    chosen = {name: value for name, value in values.items() if value is not None}
    if not chosen.get("name"):
        genres = "-".join(values["genres"][:2]) or str(values["preset"])
        word = "".join(char if char.isalnum() else "-" for char in genres).strip("-") or "tuned"
        chosen["name"] = f"{word}-{time.strftime('%m%d-%H%M%S')}"
    return chosen


def fields(snapshot: Snapshot | None, models: Sequence[ModelInfo]) -> list[Field]:
    """The lines of the form, in the language in use."""
    genres = [genre for genre in snapshot.genres if genre.tracks] if snapshot else []
    return [
        Field(
            "preset",
            _("Preset"),
            "choice",
            options=[
                Option("quick", _("quick try"), _("minutes; shows that all works")),
                Option("style", _("style"), _("the configured values; choose one genre or a few")),
                Option("full", _("all music"), _("ten times as long, longer crops")),
            ],
        ),
        Field(
            "name", _("Name"), empty=_("(made from style and date)"), help=_("The folder of the new model.")
        ),
        Field(
            "model",
            _("Start from"),
            "choice",
            options=[Option(one.name, one.name, one.licence) for one in models],
        ),
        Field(
            "genres",
            _("Genres"),
            "choices",
            empty=_("all"),
            options=[
                Option(
                    genre.name,
                    genre.name,
                    ngettext("{count} track", "{count} tracks", genre.tracks).format(count=genre.tracks),
                )
                for genre in genres
            ],
        ),
        Field("steps", _("Steps"), "whole", step=50, least=1),
        Field("batch_size", _("Batch size"), "whole", step=1, least=1),
        Field("accumulation", _("Accumulation"), "whole", step=1, least=1),
        Field("crop_seconds", _("Crop (s)"), "number", step=1, least=1),
        Field("learning_rate", _("Learning rate"), "number", step=0, least=0, zero=_("by the model's size")),
        Field("validate_every", _("Validate every"), "whole", step=10, least=0, zero=_("never")),
        Field("checkpoint_every", _("Save every"), "whole", step=50, least=0, zero=_("only at the end")),
        Field("seed", _("Seed"), "whole", step=1, least=0),
    ]


def estimate(values: dict[str, Any], snapshot: Snapshot | None) -> list[tuple[str, str]]:
    """What a fine-tune with these values means: (style, sentence) pairs."""
    wanted = set(values["genres"])
    here = [genre for genre in (snapshot.genres if snapshot else ()) if not wanted or genre.name in wanted]
    if snapshot and not wanted:
        here.append(snapshot.unlabelled)
    seconds = sum(genre.seconds for genre in here)
    heard = values["steps"] * values["batch_size"] * values["accumulation"] * values["crop_seconds"]
    lines = [
        (
            "",
            _("{steps} steps of {crops} crops: {time} of music heard.").format(
                steps=values["steps"], crops=values["batch_size"] * values["accumulation"], time=span(heard)
            ),
        )
    ]
    if seconds:
        lines.append(
            (
                "$dim",
                _("There are {time} of music; each second is heard about {count:.1f} times.").format(
                    time=span(seconds), count=heard / seconds
                ),
            )
        )
    else:
        lines.append(("$text-warning", _("No track is ready for this choice of genres.")))
    if snapshot and not snapshot.gpus:
        lines.append(
            ("$text-warning", _("There is no GPU: a large model would take days; the small one minutes."))
        )
    for gpu in snapshot.gpus[:1] if snapshot else ():
        free = (gpu.memory_total - gpu.memory_used) / 2**30
        lines.append(("$dim", _("{name}, {free:.0f} GiB free.").format(name=gpu.name, free=free)))
    return lines
