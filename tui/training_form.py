"""The fine-tune form: presets, fields and what they amount to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assistant.config import Settings
from assistant.i18n import _, ngettext
from tui.setting_fields import as_chosen, as_shown, fields_of
from tui.text import clock, size, span
from tui.widgets.form import Field, Option

if TYPE_CHECKING:
    from assistant.musicgen.models import ModelInfo
    from assistant.runs.record import RunRecord
    from tui.snapshot import Snapshot

PRESETS = ("quick", "style", "full")
FIRST = (
    "preset",
    "name",
    "model",
    "genres",
    "method",
    "steps",
    "batch_size",
    "accumulation",
    "crop_seconds",
    "learning_rate",
    "validate_every",
    "sample_every",
    "checkpoint_every",
    "seed",
)
CHOSEN = ("preset", "name", "model", "genres", "device")
"""What the person chose stays when the preset changes."""


def preset_values(preset: str, settings: Settings) -> dict[str, Any]:
    """The values of a preset, as the command line has them."""
    from assistant.musicgen.finetune_meanings import finetune_meanings
    from assistant.musicgen.spec import FinetuneSpec

    values = FinetuneSpec.from_settings(settings, preset=preset, name="x").as_dict()
    return as_shown(values, finetune_meanings())


def start_values(settings: Settings) -> dict[str, Any]:
    """The form at its first opening."""
    return {**preset_values("style", settings), "preset": "style", "name": "", "genres": ()}


def change_preset(values: dict[str, Any], settings: Settings) -> None:
    """Put in what the chosen preset means, and leave what the person chose beside it."""
    new = preset_values(values["preset"], settings)
    values.update({name: value for name, value in new.items() if name not in CHOSEN})


def values_of_run(run: RunRecord) -> tuple[dict[str, Any], str]:
    """The settings of a run for a new one, and a word on what was changed of them.

    A run that ended for want of memory gets half the batch and twice the accumulation.
    """
    from assistant.musicgen.finetune_meanings import finetune_meanings

    values = {**as_shown(run.spec, finetune_meanings()), "name": ""}
    if (run.error or {}).get("kind") != "memory":
        return values, _("The form has the settings of {name}.").format(name=run.name)
    batch = int(values.get("batch_size") or 1)
    if batch > 1:
        values["batch_size"] = batch // 2
        values["accumulation"] = -(-int(values.get("accumulation") or 1) * batch // (batch // 2))
        return values, _("Smaller batches, and as many more of them: the result is the same.")
    values["crop_seconds"] = max(1.0, float(values.get("crop_seconds") or 10.0) / 2)
    return values, _("Shorter crops need less memory.")


def spec_values(values: dict[str, Any]) -> dict[str, Any]:
    """The form's values as fields of `FinetuneSpec`; without a name, one of style and date."""
    from assistant.musicgen.finetune_meanings import finetune_meanings

    chosen = as_chosen(
        {name: value for name, value in values.items() if value is not None}, finetune_meanings()
    )
    if not chosen.get("name"):
        genres = "-".join(values["genres"][:2]) or str(values["preset"])
        word = "".join(char if char.isalnum() else "-" for char in genres).strip("-") or "tuned"
        chosen["name"] = f"{word}-{time.strftime('%m%d-%H%M%S')}"
    return chosen


def fields(snapshot: Snapshot | None, models: Sequence[ModelInfo]) -> list[Field]:
    """The lines of the form, in the language in use."""
    from assistant.musicgen.finetune_meanings import finetune_meanings

    genres = [genre for genre in snapshot.genres if genre.tracks] if snapshot else []
    return fields_of(
        finetune_meanings(),
        first=FIRST,
        changes={
            "preset": {
                "options": [
                    Option("quick", _("quick try"), _("minutes; shows that all works")),
                    Option("style", _("style"), _("the configured values; choose one genre or a few")),
                    Option("full", _("all weights"), _("longer crops; learns most and needs most memory")),
                ]
            },
            "model": {
                "kind": "choice",
                "options": [Option(one.name, one.name, one.licence) for one in models],
            },
            "genres": {
                "kind": "choices",
                "options": [
                    Option(
                        genre.name,
                        genre.name,
                        ngettext("{count} track", "{count} tracks", genre.tracks).format(count=genre.tracks),
                    )
                    for genre in genres
                ],
            },
        },
    )


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


def preflight_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The answers of a look ahead: (style, sentence) pairs; what needs attention is marked."""
    lines = [
        (
            "",
            ngettext(
                "{count} track to learn, {held} held out.",
                "{count} tracks to learn, {held} held out.",
                found["tracks"],
            ).format(count=found["tracks"], held=found["held_out"]),
        ),
        (
            "",
            _("About {time} in all, {each:.2f} s a step on {device} ({precision}).").format(
                time=clock(found["seconds"]),
                each=found["seconds_per_step"],
                device=found["device"],
                precision=found["precision"],
            ),
        ),
        (
            "" if found["memory_bytes"] < 0.9 * found["memory_total"] else "$text-warning",
            _("Memory {used} of {total}.").format(
                used=size(found["memory_bytes"]), total=size(found["memory_total"])
            ),
        ),
        (
            "" if found["disk_bytes"] < found["disk_free"] else "$text-error",
            _("Disk {needed}, {free} free.").format(
                needed=size(found["disk_bytes"]), free=size(found["disk_free"])
            ),
        ),
    ]
    lines += [("$dim", text) for text in found["reasons"]]
    return lines + [("$text-warning", f"! {text}") for text in found["warnings"]]
