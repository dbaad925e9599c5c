"""init, doctor, status, duplicates, watch: the music folder."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.commands.console import Context, duration_text
from assistant.commands.options import Commands, add_command
from assistant.commands.status import show_status
from assistant.i18n import _, ngettext
from assistant.library.scan import display_name

if TYPE_CHECKING:
    from assistant.intake.events import IntakeEvent

_LEAVE_SECONDS = 3.0


def add_commands(commands: Commands) -> None:
    """Add the commands of this file."""
    init = add_command(commands, "init", _("make a library: a folder for each genre"), _init)
    init.add_argument(
        "folder", metavar="DIR", type=Path, help=_("the folder to make, or to make into a library")
    )
    add_command(commands, "doctor", _("look at this machine and say what is missing"), _doctor)
    add_command(commands, "status", _("what is in the library and what is going on"), show_status)
    add_command(commands, "duplicates", _("show tracks that are the same music"), _duplicates)
    watch = add_command(
        commands, "watch", _("make a WAV and a caption for each new file as it comes"), _watch
    )
    how = watch.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help=_("handle what is there, then leave"))
    how.add_argument(
        "--systemd-unit", action="store_true", help=_("print a systemd unit that watches, and leave")
    )


def _init(context: Context) -> int:
    from assistant.library.find import music_folders
    from assistant.library.library import create_library

    with create_library(context.arguments.folder, context.settings) as library:
        found = [folder for folder in music_folders(Path.home()) if folder.path != library.root]
        if context.json:
            context.console.document(
                {
                    "library": str(library.root),
                    "genres": library.genres(),
                    "unlabelled": library.unlabelled,
                    "music_folders": [asdict(folder) for folder in found],
                }
            )
            return 0
        console = context.console
        console.result(_("The library {root} is ready.").format(root=library.root))
        console.say(
            _("Put music into its genre folders, or into {folder} where you do not know the genre.").format(
                folder=library.unlabelled
            )
        )
        for folder in found[:5]:
            console.say(
                ngettext(
                    "Found {count} music file in {path}.",
                    "Found {count} music files in {path}.",
                    folder.files,
                ).format(count=folder.files, path=folder.path)
            )
        console.say(
            _("Next: musichelper --library {root} watch --once, or musichelper-tui {root}").format(
                root=library.root
            )
        )
    return 0


def _doctor(context: Context) -> int:
    from assistant.doctor import checks
    from assistant.errors import CallError

    try:
        library = context.library
    except CallError:
        library = None
    found = checks(library, context.settings)
    if context.json:
        context.console.document({"checks": [asdict(check) for check in found]})
        return 0
    for check in found:
        mark = _("ok") if check.ok else _("note")
        context.console.result(f"{mark:>5}  {check.title}: {check.detail}")
        if check.hint:
            context.console.result(f"       {check.hint}")
    return 0


def _duplicates(context: Context) -> int:
    from assistant.library.duplicates import as_dict, duplicates, listen_to_unknown

    library, console = context.library, context.console
    heard = sum(1 for _track in listen_to_unknown(library))
    groups = duplicates(library)
    if context.json:
        context.console.document({"duplicates": [as_dict(library, group) for group in groups]})
        return 0
    if heard:
        console.say(
            ngettext(
                "{count} track was compared for the first time.",
                "{count} tracks were compared for the first time.",
                heard,
            ).format(count=heard)
        )
    for group in groups:
        if group.exact:
            console.result(_("The same file:"))
        else:
            console.result(_("The same music:"))
        for track in group.tracks:
            length = duration_text(track.duration or 0.0)
            console.result(f"  {display_name(track.path)}  {length}  {track.size / 1e6:.1f} MB")
    if not groups:
        console.result(_("No two tracks are the same music."))
    else:
        console.say(_("Nothing was deleted; keep what you like best."))
    return 0


def _unit(context: Context) -> int:
    from assistant.service import install_words, systemd_unit, unit_name

    root = context.library.root
    unit = systemd_unit(root, context.arguments.config)
    if context.json:
        context.console.document({"name": unit_name(root), "unit": unit})
        return 0
    for line in unit.rstrip("\n").split("\n"):
        context.console.result(line)
    for line in install_words(root):
        context.console.say(line)
    return 0


def _watch(context: Context) -> int:
    if context.arguments.systemd_unit:
        return _unit(context)
    from assistant.intake.pipeline import run_once
    from assistant.intake.watch import watch
    from assistant.label.decisions import Labeller
    from assistant.label.proposer import Proposer, propose_for_new

    library, console = context.library, context.console
    once = context.arguments.once
    failed, started = 0, time.monotonic()
    stop = threading.Event()
    Labeller(library).recover()
    if not once:
        _leave_at_sigterm(stop)
        console.say(_("Watching {root}. Ctrl-C stops.").format(root=library.root))
    proposer = Proposer(
        library.root, context.settings, lambda count: _say_proposed(context, count), console.error
    )
    try:
        for event in run_once(library) if once else watch(library, stop):
            failed += event.event in ("failed", "paused")
            if event.event == "done" and once:
                _say_proposed(context, propose_for_new(library))
            elif event.event == "ready" and not once:
                proposer.note()
            _say_intake(context, event, started)
    except KeyboardInterrupt:
        if not stop.is_set():
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        stop.set()
        proposer.close()
    return 1 if failed and once else 0


def _leave_at_sigterm(stop: threading.Event) -> None:
    """A service manager's request to end is no failure. Reading many new files is broken off for it."""

    def leave(*_arguments: object) -> None:
        stop.set()
        signal.setitimer(signal.ITIMER_REAL, _LEAVE_SECONDS)

    def break_off(*_arguments: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, break_off)
    signal.signal(signal.SIGTERM, leave)


def _say_proposed(context: Context, count: int) -> None:
    if count and context.json:
        context.console.document({"event": "proposed", "path": "", "count": count})
    elif count:
        context.console.say(
            ngettext("{count} new proposal.", "{count} new proposals.", count).format(count=count)
        )


def _say_intake(context: Context, event: IntakeEvent, started: float) -> None:
    console = context.console
    if context.json:
        document = event.as_dict()
        if event.path:
            document["path"] = str(context.library.root / event.path)
        console.document(document)
    elif event.event == "ready":
        if event.duplicate_of:
            console.say(
                _("ready: {path}, the same music as {other}").format(
                    path=event.path, other=event.duplicate_of
                )
            )
        else:
            console.say(_("ready: {path}").format(path=event.path))
        if event.hint:
            console.say(f"  {event.hint}")
    elif event.event == "failed":
        console.say(_("failed: {path}: {reason}").format(path=event.path, reason=event.reason))
        if event.hint:
            console.say(f"  {event.hint}")
    elif event.event == "paused":
        console.say(_("paused: {reason}").format(reason=event.reason))
        console.say(f"  {event.hint}")
    elif event.event == "resumed":
        console.say(_("It goes on."))
    elif event.event == "done" and context.arguments.once:
        console.result(
            _("{ready} ready, {failed} failed, {unchanged} as before, in {time}.").format(
                time=duration_text(time.monotonic() - started), **event.as_dict()
            )
        )
