"""convert, caption, midi render, play: single files."""

from __future__ import annotations

import time
from pathlib import Path

from assistant.commands.console import Context, duration_text, existing_file
from assistant.commands.options import Commands, add_command, add_group
from assistant.errors import FileError, MusicHelperError
from assistant.i18n import _

POLL_SECONDS = 0.2


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    convert = add_command(commands, "convert", _("make 44.1 kHz 16-bit WAVs of files"), _convert)
    convert.add_argument("files", metavar="FILE", nargs="+", help=_("music files"))
    convert.add_argument("--out", metavar="DIR", type=Path, required=True, help=_("where the WAVs go"))
    caption = add_command(commands, "caption", _("describe files in a line of English"), _caption)
    caption.add_argument("files", metavar="FILE", nargs="+", help=_("music files"))
    midi = add_group(commands, "midi", _("MIDI files"))
    render = add_command(midi, "render", _("play a MIDI file into a WAV through a soundfont"), _render)
    render.add_argument("file", metavar="FILE", help=_("a MIDI file"))
    render.add_argument("--out", metavar="DIR", type=Path, default=Path(), help=_("where the WAV goes"))
    play = add_command(commands, "play", _("play a file here, or in the browser over SSH"), _play)
    play.add_argument("file", metavar="FILE", help=_("a clip or a track"))


def _convert(context: Context) -> int:
    return _convert_all(context, context.arguments.files, context.arguments.out)


def _render(context: Context) -> int:
    return _convert_all(context, [context.arguments.file], context.arguments.out)


def _convert_all(context: Context, names: list[str], folder: Path) -> int:
    from assistant.audio.guard import Decoders

    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    files, failed = [], []
    with Decoders(context.settings.intake) as decoders:
        for name in names:
            try:
                source = existing_file(name)
                target = _free_name(folder, source)
                converted = decoders.convert(source, target, measure=False)
                files.append({"path": str(source), "wav": str(target), "duration": converted.duration})
                context.console.say(f"{target}  {duration_text(converted.duration)}")
            except MusicHelperError as error:
                failed.append({"path": name, "reason": error.title, "hint": error.hint})
                context.console.error(error if isinstance(error, FileError) else _of(name, error))
    if context.json:
        context.console.document({"files": files, "failed": failed})
    return 1 if failed else 0


def _free_name(folder: Path, source: Path) -> Path:
    for name in (source.stem, source.name):
        target = folder / f"{name}.wav"
        if not target.exists():
            return target
    raise FileError(
        source,
        _("{target} exists already.").format(target=target),
        _("Move it away, or name another folder with --out."),
    )


def _of(name: str, error: MusicHelperError) -> FileError:
    return FileError(Path(name), error.title, error.hint)


def _caption(context: Context) -> int:
    from assistant.audio.guard import Decoders
    from assistant.caption.captioner import check_captioner
    from assistant.caption.single import describe_file

    captions, failed = [], []
    check_captioner(context.settings.caption)
    listen = context.settings.caption.listen
    with Decoders(context.settings.intake, listen=listen) as decoders:
        for name in context.arguments.files:
            try:
                described = describe_file(decoders, existing_file(name), context.settings)
                captions.append({"path": name, **described})
            except MusicHelperError as error:
                failed.append({"path": name, "reason": error.title, "hint": error.hint})
                context.console.error(error if isinstance(error, FileError) else _of(name, error))
    if context.json:
        context.console.document({"captions": captions, "failed": failed})
    else:
        for caption in captions:
            context.console.result(f"{caption['path']}: {caption['caption']}")
    return 1 if failed else 0


def _play(context: Context) -> int:
    from assistant.playback.player import choose_player

    path = existing_file(context.arguments.file)
    player = choose_player(context.settings.playback)
    try:
        context.console.say(player.sentence)
        player.play(path)
        if context.json:
            context.console.document({"path": str(path), "player": player.kind, "how": player.sentence})
        page = player.kind == "browser" and not player.problem
        if page:
            context.console.say(_("Ctrl-C ends the page."))
        while page or player.playing():
            time.sleep(POLL_SECONDS)
        if player.problem:
            context.console.say(player.problem)
            return 1
    finally:
        player.close()
    return 0
