"""What the library needs around it: its folder, disk, soundfont and notices of changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from assistant.config import Settings
from assistant.doctor.check import GIB, Check, finding
from assistant.errors import MusicHelperError
from assistant.i18n import _, ngettext
from assistant.library import host
from assistant.library.library import Library

_DISK_GIB = 10
_WATCHES_ENOUGH = 8192
_WATCHES_WANTED = 65536


def music(library: Library | None, settings: Settings) -> Iterator[Check]:
    """The library, and music that lies elsewhere."""
    from assistant.library.find import music_folders

    if library is None:
        yield Check(
            "library",
            False,
            _("No library is named and there is none here."),
            _("Make one with `musichelper init DIR`, or name one with --library DIR."),
            _("Library"),
        )
    else:
        yield _library_check(library)
        kind = host.silent_file_system(library.root)
        if kind:
            yield Check(
                "file system",
                True,
                _("The library is on {kind}, where changes made elsewhere are not told.").format(kind=kind),
                _("They are found by comparing the folder every {seconds:.0f} seconds.").format(
                    seconds=settings.intake.scan_seconds
                ),
                _("File system"),
            )
    folders = [
        folder
        for folder in music_folders(Path.home(), genres=settings.library.genres)
        if library is None or not library.root.is_relative_to(folder.path)
    ]
    if folders:
        yield Check(
            "music",
            True,
            "; ".join(
                ngettext("{count} file in {path}", "{count} files in {path}", folder.files).format(
                    count=folder.files, path=folder.path
                )
                for folder in folders[:5]
            ),
            _("Copy what you like into a library, or make one of it with `musichelper init {path}`.").format(
                path=folders[0].path
            ),
            _("Music found"),
        )


def _library_check(library: Library) -> Check:
    if not os.access(library.root, os.W_OK | os.X_OK):
        detail = _("{root} cannot be written to.").format(root=library.root)
        hint = _("Change its rights, or use a folder of your own.")
        return Check("library", False, detail, hint, _("Library"), needed=True)
    try:
        state = library.ledger.integrity() if library.paths.ledger.exists() else "ok"
    except MusicHelperError as error:
        return Check("library", False, error.title, error.hint, _("Library"), needed=True)
    return finding(
        "library",
        _("Library"),
        state == "ok",
        str(library.root),
        _("The ledger is damaged: {state}. Move {path} away; it is made anew.").format(
            state=state, path=library.paths.ledger
        ),
        needed=True,
    )


def disk(library: Library | None, _settings: Settings) -> Iterator[Check]:
    """The room on the library's disk."""
    place = library.root if library else Path.home()
    free = shutil.disk_usage(place).free
    yield finding(
        "disk",
        _("Disk"),
        free >= _DISK_GIB * GIB,
        _("{free:.0f} GiB free in {place}").format(free=free / GIB, place=place),
        _("A fine-tune of a hub model keeps checkpoints of several GiB: free {size} GiB or more.").format(
            size=_DISK_GIB
        ),
        needed=free < GIB,
    )


def soundfont(_library: Library | None, settings: Settings) -> Iterator[Check]:
    """What MIDI is played with."""
    from assistant.audio.render import find_soundfont

    try:
        path = find_soundfont(settings.intake.soundfont)
    except MusicHelperError as error:
        yield Check("soundfont", False, error.title, error.hint, _("Soundfont"))
        return
    yield Check("soundfont", True, str(path), title=_("Soundfont"))


def inotify(library: Library | None, _settings: Settings) -> Iterator[Check]:
    """How many folders can be watched."""
    limits = host.inotify_limits()
    if limits is None:
        yield Check(
            "inotify",
            False,
            _("The kernel does not tell of changes in folders (no inotify)."),
            _("New files are found by comparing the folder from time to time."),
            "inotify",
        )
        return
    watches, watchers = limits
    used_watches, used_watchers = host.inotify_use()
    wanted = host.count_folders(library.root) if library else 0
    enough = watches >= _WATCHES_ENOUGH and watches - used_watches > wanted and used_watchers < watchers
    yield finding(
        "inotify",
        "inotify",
        enough,
        _(
            "{used_watches} of {watches} watches and {used_watchers} of {watchers} watchers are in use."
        ).format(used_watches=used_watches, watches=watches, used_watchers=used_watchers, watchers=watchers),
        _(
            "Allow more: `sudo sysctl fs.inotify.max_user_watches={watches} "
            "fs.inotify.max_user_instances=512`; to keep that, write both into /etc/sysctl.d/60-inotify.conf."
        ).format(watches=max(_WATCHES_WANTED, 2 * wanted)),
    )
