"""Looks at the machine and says in plain words what is there, what is missing and how to get it."""

from __future__ import annotations

import importlib.metadata
import locale
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.config import Settings
from assistant.errors import MusicHelperError
from assistant.i18n import _, ngettext
from assistant.library import host
from assistant.library.library import Library

GIB = 1024**3

_DISK_GIB = 10
_MEMORY_GIB = 4
_GPU_GIB = 12
"""Enough for fine-tuning the smallest MusicGen of the hub with short crops."""
_PACKAGES = (
    "torch",
    "torchaudio",
    "audiocraft",
    "tensorflow",
    "keras",
    "librosa",
    "soundfile",
    "av",
    "textual",
)
_WATCHES_ENOUGH = 8192
_WATCHES_WANTED = 65536


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    """For programs; the same in every language."""
    ok: bool
    detail: str
    """What was found."""
    hint: str = ""
    """What to do; sometimes also where nothing is wrong but something could be better."""
    title: str = ""
    """The name for people."""
    needed: bool = False
    """Where this is not ok, the main job does not work."""


Look = Callable[[Library | None, Settings], Iterator[Check]]


def checks(library: Library | None, settings: Settings) -> list[Check]:
    """All findings, in the order in which they matter. Takes a few seconds at most and never raises."""
    found: list[Check] = []
    for name, look in _LOOKS.items():
        try:
            found += look(library, settings)
        except Exception as error:  # a probe that breaks must not hide what the others found
            words = f"{type(error).__name__}: {error}"
            found.append(
                Check(name, False, _("This could not be looked at: {error}.").format(error=words), title=name)
            )
    return found


def _check(
    name: str, title: str, good: bool, detail: str, advice: str = "", *, needed: bool = False
) -> Check:
    """A finding whose advice is given only where it is not good."""
    return Check(name, good, detail, "" if good else advice, title, needed)


def _programs(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    yield _check(
        "python",
        "Python",
        (3, 11) <= sys.version_info[:2] <= (3, 12),
        _("Python {version}").format(version=".".join(map(str, sys.version_info[:3]))),
        _("Use Python 3.11 or 3.12, for example with `uv run --python 3.12 musichelper doctor`."),
        needed=True,
    )
    versions = {name: _version(name) for name in _PACKAGES}
    missing = [name for name, version in versions.items() if version is None]
    yield _check(
        "packages",
        _("Packages"),
        not missing,
        _("Missing: {names}.").format(names=", ".join(missing))
        if missing
        else ", ".join(f"{name} {version}" for name, version in versions.items()),
        _("Install them with `uv sync` in the folder of musichelper."),
        needed=True,
    )


def _computer(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    memory, cores = host.usable_memory(), len(os.sched_getaffinity(0))
    yield _check(
        "computer",
        _("Computer"),
        memory >= _MEMORY_GIB * GIB,
        ngettext(
            "{cores} core, {memory:.0f} GiB of memory", "{cores} cores, {memory:.0f} GiB of memory", cores
        ).format(cores=cores, memory=memory / GIB),
        _("Training wants {size} GiB of memory or more; close other programs.").format(size=_MEMORY_GIB),
    )


def _gpu(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    from assistant.runs.gpu import driver, gpus

    cards = gpus()
    if not cards and host.gpu_on_bus():
        yield Check(
            "gpu",
            False,
            _("An NVIDIA GPU is there, but its driver does not answer."),
            _("Install NVIDIA's driver and see that `nvidia-smi` lists the GPU."),
            "GPU",
        )
        return
    if not cards:
        yield Check(
            "gpu",
            False,
            _("No NVIDIA GPU was found."),
            _("Everything works on the processor with the small model; the models of the hub want a GPU."),
            "GPU",
        )
        return
    small = max(card.memory_total for card in cards) < _GPU_GIB * GIB
    yield Check(
        "gpu",
        True,
        "; ".join(
            _("{name}, {free:.0f} of {total:.0f} GiB free").format(
                name=card.name,
                free=(card.memory_total - card.memory_used) / GIB,
                total=card.memory_total / GIB,
            )
            for card in cards
        ),
        _("Fine-tuning a hub model wants about {size} GiB: use short crops, or the small model.").format(
            size=_GPU_GIB
        )
        if small
        else "",
        "GPU",
    )
    built, known = _version("nvidia-cuda-runtime") or _version("nvidia-cuda-runtime-cu12"), driver()
    if built and known:
        number, newest = known
        yield _check(
            "cuda",
            "CUDA",
            int(built.split(".")[0]) <= newest // 1000,
            _("The driver {driver} runs CUDA up to {newest}; torch is built for {built}.").format(
                driver=number, newest=f"{newest // 1000}.{newest % 1000 // 10}", built=built
            ),
            _("Update NVIDIA's driver; until then training runs on the processor."),
        )


def _music(library: Library | None, settings: Settings) -> Iterator[Check]:
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
    return _check(
        "library",
        _("Library"),
        state == "ok",
        str(library.root),
        _("The ledger is damaged: {state}. Move {path} away; it is made anew.").format(
            state=state, path=library.paths.ledger
        ),
        needed=True,
    )


def _disk(library: Library | None, _settings: Settings) -> Iterator[Check]:
    place = library.root if library else Path.home()
    free = shutil.disk_usage(place).free
    yield _check(
        "disk",
        _("Disk"),
        free >= _DISK_GIB * GIB,
        _("{free:.0f} GiB free in {place}").format(free=free / GIB, place=place),
        _("A fine-tune of a hub model keeps checkpoints of several GiB: free {size} GiB or more.").format(
            size=_DISK_GIB
        ),
        needed=free < GIB,
    )


def _soundfont(_library: Library | None, settings: Settings) -> Iterator[Check]:
    from assistant.audio.render import find_soundfont

    try:
        path = find_soundfont(settings.intake.soundfont)
    except MusicHelperError as error:
        yield Check("soundfont", False, error.title, error.hint, _("Soundfont"))
        return
    yield Check("soundfont", True, str(path), title=_("Soundfont"))


def _modules(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    from assistant.audio.tracker import PACKAGE, library_version

    version = library_version()
    yield _check(
        "modules",
        _("Tracker modules"),
        bool(version),
        _("libopenmpt {version} reads MOD, XM, IT and S3M").format(version=version)
        if version
        else _("libopenmpt is not installed; MOD, XM, IT and S3M cannot be read"),
        _("`sudo apt install {package}`; everything else works without it.").format(package=PACKAGE),
    )


def _models(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    folder = host.hub_cache()
    names = sorted(
        entry.name.removeprefix("models--").replace("--", "/")
        for entry in folder.glob("models--*")
        if any((entry / "snapshots").glob("*/*"))
    )
    yield _check(
        "models",
        _("Hub models"),
        any("musicgen" in name for name in names),
        _("{names} in {folder}").format(folder=folder, names=", ".join(names))
        if names
        else _("No models of the Hugging Face hub are in {folder}.").format(folder=folder),
        _(
            "A hub model such as facebook/musicgen-small is fetched when it is first used, which needs the "
            "internet; the small built-in model needs none."
        ),
    )


def _sound(_library: Library | None, settings: Settings) -> Iterator[Check]:
    from assistant.playback.address import forward_command, on_own_screen, over_ssh
    from assistant.playback.sound import pulse_plugin_missing, simpleaudio_installed, sound_device

    installed, device = simpleaudio_installed(), sound_device()
    words = [
        _("simpleaudio is installed") if installed else _("simpleaudio is not installed"),
        _("sound can go to {device}").format(device=device) if device else _("no sound device was found"),
    ]
    hints = []
    if device and not installed:
        hints.append(
            _(
                "For sound here: `sudo apt install gcc libasound2-dev` (Fedora: gcc alsa-lib-devel), then "
                "`uv sync --extra audio`."
            )
        )
    if device and pulse_plugin_missing():
        hints.append(_("ALSA cannot reach the sound server: `sudo apt install libasound2-plugins`."))
    if on_own_screen() and not (device and installed):
        hints.append(_("Clips can be heard in a browser: `musichelper play FILE` shows the link."))
    elif over_ssh() or not (device and installed):
        hints.append(
            _("Clips are heard in your own browser through `{command}`; the link comes with them.").format(
                command=forward_command(settings.playback.port)
            )
        )
    yield Check("sound", bool(device and installed), "; ".join(words), " ".join(hints), _("Sound"))


def _inotify(library: Library | None, _settings: Settings) -> Iterator[Check]:
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
    yield _check(
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


def _terminal(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    name = os.environ.get("TERM", "")
    columns, lines = shutil.get_terminal_size((0, 0))
    if sys.stdin is None or not sys.stdin.isatty():
        detail = _("This is no terminal: commands work, the app needs one.")
        yield Check("terminal", True, detail, title=_("Terminal"))
    else:
        yield _check(
            "terminal",
            _("Terminal"),
            name not in ("", "dumb", "unknown") and columns >= 80 and lines >= 24,
            _("{name}, {columns} columns and {lines} lines").format(
                name=name or "TERM?", columns=columns, lines=lines
            ),
            _("The app wants 80 columns and 24 lines, and a TERM that can place text, such as xterm."),
        )
    encoding = locale.getencoding()
    yield _check(
        "locale",
        _("Locale"),
        encoding.replace("-", "").lower() == "utf8",
        _("The text encoding is {encoding}.").format(encoding=encoding),
        _("Use a UTF-8 locale: `export LANG=C.UTF-8`."),
    )


def _logout(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    if not (host.runs_systemd() and host.kills_at_logout()):
        yield Check("logout", True, _("Runs go on after you log out."), title=_("Logging out"))
        return
    start = _("Start the app with `systemd-run --user --scope musichelper-tui`; what it starts then goes on.")
    linger = _("Once: `loginctl enable-linger`.")
    yield Check(
        "logout",
        False,
        _("systemd ends your programs when you log out (KillUserProcesses=yes)."),
        start if host.lingers() else f"{linger} {start}",
        _("Logging out"),
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


_LOOKS: dict[str, Look] = {
    "python": _programs,
    "computer": _computer,
    "gpu": _gpu,
    "library": _music,
    "disk": _disk,
    "soundfont": _soundfont,
    "modules": _modules,
    "models": _models,
    "sound": _sound,
    "inotify": _inotify,
    "terminal": _terminal,
    "logout": _logout,
}
