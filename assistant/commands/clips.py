"""generate, clips, models."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.commands.console import Context, duration_text, existing_file
from assistant.commands.options import Commands, add_command, add_group
from assistant.commands.shelf import add_shelf_commands, clip_document, marks
from assistant.errors import CallError, FileError
from assistant.i18n import _, ngettext
from assistant.musicgen.clip_meanings import generate_meanings
from assistant.musicgen.models import EXPORT_FORMATS

if TYPE_CHECKING:
    from assistant.musicgen.spec import GenerateSpec

OFF = "off"


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    generate = add_command(commands, "generate", _("make clips from words, a clip, or nothing"), _generate)
    generate.add_argument(
        "--show-english",
        action="store_true",
        help=_("only show the English for the prompt, and prompts that are near to it"),
    )
    generate.add_argument(
        "--from",
        dest="clip",
        metavar="CLIP",
        help=_("make this clip again from its recipe; other options change the recipe"),
    )
    for meaning in generate_meanings():
        if meaning.name == "prompts":
            continue  # several times --prompt
        words = meaning.help.replace("%", "%%")
        if meaning.kind == "switch":
            generate.add_argument(
                meaning.option, dest=meaning.name, action="store_const", const=True, help=words
            )
            continue
        kinds: dict[str, Callable[[str], Any]] = {"whole": int, "number": float}
        kind = _loudness if meaning.name == "loudness" else kinds.get(meaning.kind, str)
        generate.add_argument(
            meaning.option,
            dest=meaning.name,
            type=kind,
            action="append" if meaning.name == "prompt" or meaning.kind == "texts" else "store",
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
    from assistant.musicgen.spec import GenerateSpec
    from assistant.serving.client import Generator

    called = context.arguments
    for name in ("melody", "continue_from"):
        file = getattr(called, name)
        if file and Path(file).is_file():  # else it may be a track of the library
            setattr(called, name, str(Path(file).absolute()))
    if called.out:
        called.out = str(Path(called.out).absolute())
    chosen = {
        field.name: tuple(value) if isinstance(value, list) else value
        for field in dataclasses.fields(GenerateSpec)
        if (value := getattr(called, field.name, None)) is not None
    }
    prompts = chosen.pop("prompt", ())
    if prompts:
        chosen |= {"prompt": prompts[0], "prompts": prompts if len(prompts) > 1 else ()}
    if chosen.get("loudness") == OFF:
        chosen["loudness"] = None
    if called.show_english:
        return _show_english(context, [str(chosen.get("prompt", "")), *chosen.get("then", ())])
    if called.clip:
        spec = _again(context, _named_file(called.clip), chosen)
    else:
        spec = GenerateSpec.from_settings(context.settings, **chosen)
    generator = Generator(context.library)
    try:
        clips = generator.generate(spec.check(), on_event=lambda event: _show_generation(context, event))
    finally:
        generator.close()
    context.console.clear()
    answer: dict[str, Any] = {"clips": [asdict(clip) for clip in clips]}
    if called.clip and not set(chosen) - {"out"}:
        answer["same"] = _say_whether_same(context, Path(called.clip), Path(clips[0].path))
    if context.json:
        context.console.document(answer)
        return 0
    for clip in clips:
        context.console.result(
            _("{path}  {duration}  seed {seed}").format(
                path=clip.path, duration=duration_text(clip.duration), seed=clip.seed
            )
        )
    return 0


def _named_file(name: str) -> Path:
    """A file that an option names: without it the call is wrong."""
    try:
        return existing_file(name)
    except FileError as error:
        raise CallError(f"{error.path}: {error.title}", error.hint) from error


def _loudness(text: str) -> float | str:
    try:
        return OFF if text == OFF else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            _("{text!r} is neither a number nor `off`").format(text=text)
        ) from None


def _again(context: Context, clip: Path, chosen: dict[str, Any]) -> GenerateSpec:
    from assistant.musicgen.recipe import program_name, read_recipe, spec_again

    recipe = read_recipe(clip)
    spec = spec_again(recipe, context.library.paths, chosen)
    made_with = f"{recipe['program']} {recipe.get('version', '')}".strip()
    if made_with != program_name():
        context.console.say(
            _("The clip was made with {then}; this is {now}, which may make it differently.").format(
                then=made_with, now=program_name()
            )
        )
    return spec


def _say_whether_same(context: Context, clip: Path, again: Path) -> bool:
    from assistant.musicgen.recipe import read_recipe, same_sound

    same = same_sound(clip, again)
    then, now = (str(read_recipe(path).get("computed_on", "?")) for path in (clip, again))
    if same:
        context.console.say(_("It is the same audio as {path}, sample for sample.").format(path=clip))
    elif then != now:
        context.console.say(
            _("It differs from {path}: that was computed on {then}, this on {now}.").format(
                path=clip, then=then, now=now
            )
        )
    else:
        context.console.say(
            _(
                "It differs from {path}, though the recipe is the same: another machine rounds differently."
            ).format(path=clip)
        )
    return same


def _show_english(context: Context, prompts: Sequence[str]) -> int:
    """For the prompt, and for those of later parts."""
    from assistant.musicgen.prompts import translate
    from assistant.musicgen.prompts.curated import nearest

    said = [asdict(translate(prompt)) for prompt in prompts]
    near = [nearest(prompt) for prompt in prompts]
    if context.json:
        parts = [
            {**one, "nearest": [asdict(each) for each in found]}
            for one, found in zip(said, near, strict=True)
        ]
        context.console.document({**parts[0], "then": parts[1:]})
        return 0
    for one, found in zip(said, near, strict=True):
        context.console.result(one["english"])
        _say_what_was_not_used(context, one)
        if found:
            context.console.say(_("Prompts that are near to it:"))
            for each in found:
                context.console.say(f"  {each.english}")
    return 0


def _say_what_was_not_used(context: Context, said: dict[str, Any]) -> None:
    for name, words in (
        ("left_out", _("Left out, because a model that is told of it would play it: {words}")),
        ("elsewhere", _("The length is a setting (--duration), not a part of the prompt: {words}")),
        ("unknown", _("Not understood: {words}")),
    ):
        if said[name]:
            context.console.say(words.format(words="、".join(said[name])))


def _show_generation(context: Context, event: dict[str, Any]) -> None:
    console, kind = context.console, event["event"]
    if kind == "english":
        console.say(_("The model is told: {english}").format(english=event["english"]))
        _say_what_was_not_used(context, event)
    elif kind == "starting":
        console.progress(_("starting the engine…"))
    elif kind == "waiting":
        if event["for"] == "upgrade":
            console.say(_("An engine of an older version finishes its work first."))
        else:
            console.say(_("Another engine has the GPU and finishes its work first."))
    elif kind == "queued":
        count = event["ahead"]
        console.progress(
            ngettext(
                "{count} request is before this one", "{count} requests are before this one", count
            ).format(count=count)
        )
    elif kind == "restarted":
        console.say(_("The engine has ended without a word; a new one goes on."))
    elif kind == "warning":
        console.say(event["text"])
    elif kind == "loading":
        console.progress(_("loading the model…"))
    elif kind == "tokens":
        console.progress(_("{done} of {total} frames").format(done=event["done"], total=event["total"]))


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
