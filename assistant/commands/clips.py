"""generate, clips, models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.commands.console import Context, duration_text, existing_file
from assistant.commands.options import Commands, add_command, add_group
from assistant.commands.shelf import add_shelf_commands, clip_document, marks
from assistant.errors import CallError
from assistant.i18n import _, ngettext
from assistant.musicgen.meaning import generate_meanings
from assistant.musicgen.models import EXPORT_FORMATS


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    generate = add_command(commands, "generate", _("make clips from words, a clip, or nothing"), _generate)
    for meaning in generate_meanings():
        words = meaning.help.replace("%", "%%")
        if meaning.kind == "switch":
            generate.add_argument(
                meaning.option, dest=meaning.name, action="store_const", const=True, help=words
            )
            continue
        kinds: dict[str, Callable[[str], Any]] = {"whole": int, "number": float}
        generate.add_argument(
            meaning.option,
            dest=meaning.name,
            type=kinds.get(meaning.kind, str),
            action="append" if meaning.kind in ("texts", "choices") else "store",
            choices=meaning.choices or None,
            metavar=None if meaning.choices else meaning.metavar,
            help=words,
        )

    group = add_group(commands, "clips", _("what was generated"))
    listing = add_command(group, "list", _("all clips, newest first"), _list)
    listing.add_argument("--favourites", action="store_true", help=_("only favourites"))
    listing.add_argument("--rating", metavar="N", type=int, default=0, help=_("only clips rated N or better"))
    listing.add_argument("--rejected", action="store_true", help=_("those in the trash instead"))
    show = add_command(group, "show", _("the recipe that is stored in a clip"), _show)
    show.add_argument("file", metavar="FILE", help=_("a clip"))
    add_shelf_commands(group)

    models = add_group(commands, "models", _("models to generate with and to start from"))
    add_command(models, "list", _("all models, with their licences"), _models)
    export = add_command(models, "export", _("write a model out for other programs"), _export)
    export.add_argument("name", metavar="MODEL", help=_("a model of the library"))
    export.add_argument(
        "--format",
        choices=EXPORT_FORMATS,
        default=EXPORT_FORMATS[0],
        help=_("audiocraft's files, transformers' safetensors, or the adapter alone"),
    )
    export.add_argument("folder", metavar="DIR", type=Path, help=_("a folder that does not exist yet"))


def _generate(context: Context) -> int:
    from assistant.musicgen.client import Generator
    from assistant.musicgen.spec import GenerateSpec

    called = context.arguments
    for name in ("melody", "continue_from"):
        if getattr(called, name):
            setattr(called, name, str(existing_file(getattr(called, name))))
    if called.out:
        called.out = str(Path(called.out).absolute())
    chosen = {
        field.name: tuple(value) if isinstance(value, list) else value
        for field in dataclasses.fields(GenerateSpec)
        if (value := getattr(called, field.name, None)) is not None
    }
    spec = GenerateSpec.from_settings(context.settings, **chosen).check()
    generator = Generator(context.library)
    try:
        clips = generator.generate(spec, on_event=lambda event: _show_generation(context, event))
    finally:
        generator.close()
    context.console.clear()
    if context.json:
        context.console.document({"clips": [asdict(clip) for clip in clips]})
        return 0
    for clip in clips:
        context.console.result(
            _("{path}  {duration}  seed {seed}").format(
                path=clip.path, duration=duration_text(clip.duration), seed=clip.seed
            )
        )
    return 0


def _show_generation(context: Context, event: dict[str, Any]) -> None:
    if event["event"] == "loading":
        context.console.progress(_("loading the model…"))
    elif event["event"] == "tokens":
        context.console.progress(
            _("{done} of {total} frames").format(done=event["done"], total=event["total"])
        )


def _list(context: Context) -> int:
    called = context.arguments
    rows = context.library.ledger.clips(
        rejected=called.rejected, favourites=called.favourites, rating=called.rating
    )
    if context.json:
        context.console.document({"clips": [clip_document(row) for row in rows]})
        return 0
    context.console.table(
        [
            [
                str(row.trash or row.path),
                duration_text(row.duration),
                marks(row),
                str(row.recipe.get("prompt", "")),
                row.note,
            ]
            for row in rows
        ]
    )
    if not rows:
        context.console.say(_("No clips yet. Make one with `musichelper generate --prompt TEXT`."))
    return 0


def _show(context: Context) -> int:
    from assistant.musicgen.recipe import read_recipe

    recipe = read_recipe(existing_file(context.arguments.file))
    if context.json:
        context.console.document({"recipe": recipe})
    else:
        context.console.table([[name, str(value)] for name, value in recipe.items()])
    return 0


def _models(context: Context) -> int:
    from assistant.musicgen.models import list_models

    models = list_models(context.library)
    if context.json:
        context.console.document({"models": [asdict(model) for model in models]})
        return 0
    rows = [[_("model"), _("licence"), _("here"), ""]]
    rows += [
        [model.name, model.licence, _("yes") if model.present else _("no"), model.detail] for model in models
    ]
    context.console.table(rows)
    return 0


def _export(context: Context) -> int:
    from assistant.musicgen.client import export_model
    from assistant.musicgen.models import list_models

    name, folder = context.arguments.name, context.arguments.folder
    source = next(
        (model.path for model in list_models(context.library) if model.name == name and model.path), None
    )
    if source is None:
        raise CallError(
            _("The library has no model {name}.").format(name=name), _("See `musichelper models list`.")
        )
    if folder.exists():
        raise CallError(
            _("{folder} exists already.").format(folder=folder), _("Name a folder that does not exist yet.")
        )
    export_model(context.library, name, context.arguments.format, folder)
    size = sum(file.stat().st_size for file in folder.iterdir())
    if context.json:
        context.console.document({"model": name, "folder": str(folder.absolute()), "bytes": size})
    else:
        context.console.result(
            ngettext("{folder}: {count} megabyte.", "{folder}: {count} megabytes.", size // 1_000_000).format(
                folder=folder, count=size // 1_000_000
            )
        )
    return 0
