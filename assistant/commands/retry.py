"""retry: files that failed are tried again."""

from __future__ import annotations

from pathlib import Path

from assistant.commands.console import Context
from assistant.commands.options import Commands, add_command
from assistant.errors import CallError
from assistant.i18n import _, ngettext


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    command = add_command(commands, "retry", _("try files again that failed"), _retry)
    command.add_argument("files", metavar="FILE", nargs="*", help=_("a file of the library"))
    command.add_argument("--all", action="store_true", help=_("all that failed or were put off"))


def _retry(context: Context) -> int:
    from assistant.intake.lock import is_held
    from assistant.intake.retry import retry
    from assistant.library.scan import display_name

    files = context.arguments.files
    if bool(files) == context.arguments.all:
        raise CallError(_("Name the files to try again, or say --all."))
    library, console = context.library, context.console
    tracks, problems = retry(library, [Path(name) for name in files] if files else None)
    for problem in problems:
        console.error(problem)
    watched = is_held(library)
    if context.json:
        console.document(
            {
                "retried": [str(library.root / display_name(track.path)) for track in tracks],
                "failed": [
                    {"path": str(problem.path), "reason": problem.title, "hint": problem.hint}
                    for problem in problems
                ],
                "watched": watched,
            }
        )
        return 1 if problems else 0
    console.result(
        ngettext("{count} file is tried again.", "{count} files are tried again.", len(tracks)).format(
            count=len(tracks)
        )
    )
    if tracks and not watched:
        console.say(_("Nobody watches this folder now: `musichelper watch --once` does it."))
    return 1 if problems else 0
