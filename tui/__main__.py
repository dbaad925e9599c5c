"""`musichelper-tui [DIR]`: the terminal app."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from assistant.config import CONFIG_VARIABLE, Settings, load_settings
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _, set_language

# Textual reads these once, when it is imported. Animations cost bytes over SSH and tell nothing.
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")

SWITCH_SECONDS = 0.001


def parser() -> argparse.ArgumentParser:
    """The parser of the call, in the language in use."""
    root = argparse.ArgumentParser(
        prog="musichelper-tui",
        description=_("From a folder of music to music of your own, in the terminal."),
        epilog=_("Keys are shown in the app; F1 explains them. Without a terminal use `musichelper`."),
    )
    root.add_argument("folder", nargs="?", type=Path, metavar="DIR", help=_("the music folder"))
    root.add_argument("--library", type=Path, metavar="DIR", help=_("the music folder, named as elsewhere"))
    root.add_argument("--config", type=Path, metavar="FILE", help=_("the configuration to use"))
    root.add_argument("--version", action="store_true", help=_("show the version and leave"))
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app. Returns 0, or 2 where the call or the configuration is wrong or there is no terminal."""
    set_language("auto")
    called = parser().parse_args(arguments)
    if called.version:
        from importlib.metadata import version

        print(f"musichelper-tui {version('musichelper')}")
        return 0
    try:
        settings = load_settings(called.config)
        set_language(settings.interface.language)
        root = library_root(called.folder or called.library, settings)
        return run(root, settings, called.config)
    except MusicHelperError as error:
        print(error.title, file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        return error.exit_status


def library_root(named: Path | None, settings: Settings) -> Path | None:
    """The folder that is meant, which may be no library yet; None where no folder is meant at all."""
    if named is not None:
        return Path(os.path.abspath(named.expanduser()))  # noqa: PTH100 - keeps symbolic links
    from assistant.library.library import find_library

    try:
        return find_library(None, settings).root
    except CallError:
        return None


def run(root: Path | None, settings: Settings, config: Path | None) -> int:
    """Show the app in this terminal until the person leaves."""
    from tui.terminal import Guard, go_on_only_after_stop, is_usable

    if not is_usable():
        raise CallError(
            _("musichelper-tui needs a terminal to draw in, and this is none."),
            _("Run it in a terminal (over SSH: `ssh -t`), or use `musichelper`, which needs none."),
        )
    import asyncio

    from tui.app import MusicHelperApp

    # A key is not to wait for a thread that reads a long list.
    sys.setswitchinterval(SWITCH_SECONDS)
    app = MusicHelperApp(root, settings, config_file=config or _named_config())
    app.garbage.begin()
    guard = Guard(app)

    async def show() -> None:
        loop = asyncio.get_running_loop()
        guard.install(loop)
        redraw = partial(loop.call_soon_threadsafe, app.action_redraw)
        app.with_terminal = partial(go_on_only_after_stop, redraw)
        await app.run_async()
        guard.left()

    try:
        asyncio.run(show())
    finally:
        guard.restore()
    _say_goodbye(app)
    return app.return_code or 0


def _named_config() -> Path | None:
    return Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None


def _say_goodbye(app: object) -> None:
    from tui.app import MusicHelperApp

    assert isinstance(app, MusicHelperApp)
    live = app.snapshot.live_runs if app.snapshot else []
    if live and sys.stdout.isatty():
        print(_("Run {run} goes on. See it with `musichelper train show {run}`.").format(run=live[0].id))


if __name__ == "__main__":
    sys.exit(main())
