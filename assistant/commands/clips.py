"""generate, clips, models."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.commands.console import Context, duration_text, existing_file
from assistant.commands.options import Commands, add_command, add_group
from assistant.errors import CallError
from assistant.i18n import _, ngettext
from assistant.musicgen.models import EXPORT_FORMATS
from assistant.musicgen.spec import CLIP_PRECISIONS


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    generate = add_command(commands, "generate", _("make clips from words, a clip, or nothing"), _generate)
    generate.add_argument(
        "--prompt",
        metavar="TEXT",
        action="append",
        help=_("what it should sound like, in English; empty: anything; several times: clips of each"),
    )
    generate.add_argument(
        "--then",
        metavar="TEXT",
        action="append",
        help=_("for clips longer than the model hears at once: the prompt of the next part; may be repeated"),
    )
    generate.add_argument(
        "--model", metavar="M", help=_("a name from `musichelper models list`, or a folder")
    )
    for name, kind, letter, words in (
        ("duration", float, "S", _("seconds of each clip")),
        ("seed", int, "N", _("the same seed gives the same clip; clip k of several has seed N + k")),
        ("count", int, "N", _("how many clips")),
        ("temperature", float, "T", _("above 1 bolder, below 1 safer; 0 always takes the likeliest token")),
        ("top-k", int, "K", _("choose among the K likeliest tokens; 0 is all")),
        (
            "top-p",
            float,
            "P",
            _("choose among the likeliest tokens that make up P, in place of the top K; 0 is off"),
        ),
        ("cfg", float, "C", _("guidance: how closely the words are followed; 1 is off")),
        (
            "stride",
            float,
            "S",
            _(
                "beyond what the model hears at once (30 s for Meta's), each part adds S seconds and hears "
                "the rest again: less keeps closer to what came before and takes longer; 0 is 60 %"
            ),
        ),
        ("loudness", float, "LUFS", _("loudness of the file")),
    ):
        generate.add_argument(f"--{name}", type=kind, metavar=letter, help=words)
    generate.add_argument(
        "--two-step",
        action="store_const",
        const=True,
        help=_("guidance in two passes instead of one: slower, the same clip but for rounding"),
    )
    generate.add_argument(
        "--loop",
        action="store_const",
        const=True,
        help=_("the end goes on into the beginning; the length is near the duration, where the beat fits"),
    )
    generate.add_argument(
        "--precision",
        choices=CLIP_PRECISIONS,
        help=_("of the weights: less is faster and smaller, int8 smallest; auto is what loses nothing"),
    )
    generate.add_argument("--melody", metavar="FILE", help=_("take the melody of this file (melody models)"))
    generate.add_argument(
        "--continue", dest="continue_from", metavar="FILE", help=_("go on where this file ends")
    )
    generate.add_argument("--format", choices=("wav", "flac", "ogg", "mp3"), help=_("kind of file"))
    generate.add_argument("--out", metavar="DIR", help=_("where the clips go"))

    group = add_group(commands, "clips", _("what was generated"))
    add_command(group, "list", _("all clips, newest first"), _list)
    show = add_command(group, "show", _("the recipe that is stored in a clip"), _show)
    show.add_argument("file", metavar="FILE", help=_("a clip"))

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
        field.name: value
        for field in dataclasses.fields(GenerateSpec)
        if (value := getattr(called, field.name, None)) is not None
    }
    chosen["then"] = tuple(chosen.get("then", ()))
    prompts = chosen.pop("prompt", [])
    if prompts:
        chosen |= {"prompt": prompts[0], "prompts": tuple(prompts) if len(prompts) > 1 else ()}
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
    elif event["event"] == "warning":
        context.console.say(event["text"])
    elif event["event"] == "tokens":
        context.console.progress(
            _("{done} of {total} frames").format(done=event["done"], total=event["total"])
        )


def _list(context: Context) -> int:
    rows = context.library.ledger.clips()
    if context.json:
        context.console.document(
            {
                "clips": [
                    {"path": str(row.path), "duration": row.duration, "made": row.made, **row.recipe}
                    for row in rows
                ]
            }
        )
        return 0
    context.console.table(
        [[str(row.path), duration_text(row.duration), str(row.recipe.get("prompt", ""))] for row in rows]
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
