"""How a command is added to the parser."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

from assistant.commands.console import Context
from assistant.i18n import _

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run = Callable[[Context], int]


def add_command(commands: Commands, name: str, words: str, run: Run) -> argparse.ArgumentParser:
    """A command with its help, its `--json` and the function that does it."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    command.add_argument("--json", action="store_true", help=_("print JSON for programs"))
    command.set_defaults(run=run)
    return command


def add_group(commands: Commands, name: str, words: str) -> Commands:
    """A command whose first word names what to do."""
    group: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    return group.add_subparsers(dest="what", metavar=_("WHAT"), required=True)
