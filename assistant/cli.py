"""`musichelper …`: parse the call, do it, print the outcome."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from assistant.commands import classifier, clips, demo, engine, labelling, library, names, retry, sound, train
from assistant.commands.console import Console, Context
from assistant.config import load_settings
from assistant.errors import MusicHelperError
from assistant.i18n import _, set_language
from assistant.intake.space import is_passing

INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """The parser of all commands, in the language in use."""
    root = argparse.ArgumentParser(
        prog="musichelper",
        description=_("From a folder of music to music of your own."),
        epilog=_(
            "The library is found by --library, $MUSICHELPER_LIBRARY, the current folder or config.toml."
        ),
    )
    root.add_argument(
        "--version",
        action="version",
        version=f"musichelper {version('musichelper')}",
        help=_("show the version and leave"),
    )
    root.add_argument("--library", type=Path, metavar="DIR", help=_("the music folder"))
    root.add_argument("--config", type=Path, metavar="FILE", help=_("the configuration to use"))
    commands = root.add_subparsers(dest="command", metavar=_("COMMAND"), required=True)
    for subject in (library, retry, sound, names, classifier, labelling, train, clips, engine, demo):
        subject.add_commands(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 some items failed, 2 wrong call, 130 interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    set_language("auto")
    try:
        called = parser().parse_args(arguments)
        settings = load_settings(called.config)
        set_language(settings.interface.language)
        context = Context(called, settings)
    except MusicHelperError as error:
        return _explain(error)
    try:
        status: int = called.run(context)
        sys.stdout.flush()
        return status
    except MusicHelperError as error:
        context.console.clear()
        return _explain(error)
    except KeyboardInterrupt:
        context.console.clear()
        print(_("Interrupted; what was finished is kept."), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`| head`); Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except (OSError, sqlite3.OperationalError) as error:
        if not is_passing(error):
            raise
        context.console.clear()
        return _explain(_of_the_disk(error))
    finally:
        if "library" in context.__dict__:
            context.library.close()


def _explain(error: MusicHelperError) -> int:
    Console().error(error)
    return error.exit_status


def _of_the_disk(error: OSError | sqlite3.OperationalError) -> MusicHelperError:
    """A full disk or a folder that may not be written to, in words."""
    if isinstance(error, sqlite3.OperationalError):
        title = _("The ledger cannot be written: {reason}.").format(reason=error)
    else:
        title = _("{path} cannot be used: {reason}.").format(path=error.filename, reason=error.strerror)
    return MusicHelperError(title, _("Make room on the disk and check that you may write to the folder."))


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
