"""What the machine has: programs, memory, GPU, models, sound, terminal."""

from __future__ import annotations

import importlib.metadata
import locale
import os
import shutil
import sys
from collections.abc import Iterator

from assistant.config import Settings
from assistant.doctor.check import GIB, Check, finding
from assistant.i18n import _, ngettext
from assistant.library import host
from assistant.library.library import Library

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


def programs(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    """Python and the packages that it needs."""
    yield finding(
        "python",
        "Python",
        (3, 11) <= sys.version_info[:2] <= (3, 12),
        _("Python {version}").format(version=".".join(map(str, sys.version_info[:3]))),
        _("Use Python 3.11 or 3.12, for example with `uv run --python 3.12 musichelper doctor`."),
        needed=True,
    )
    versions = {name: _version(name) for name in _PACKAGES}
    missing = [name for name, version in versions.items() if version is None]
    yield finding(
        "packages",
        _("Packages"),
        not missing,
        _("Missing: {names}.").format(names=", ".join(missing))
        if missing
        else ", ".join(f"{name} {version}" for name, version in versions.items()),
        _("Install them with `uv sync` in the folder of musichelper."),
        needed=True,
    )


def computer(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    """Memory and cores."""
    memory, cores = host.usable_memory(), len(os.sched_getaffinity(0))
    yield finding(
        "computer",
        _("Computer"),
        memory >= _MEMORY_GIB * GIB,
        ngettext(
            "{cores} core, {memory:.0f} GiB of memory", "{cores} cores, {memory:.0f} GiB of memory", cores
        ).format(cores=cores, memory=memory / GIB),
        _("Training wants {size} GiB of memory or more; close other programs.").format(size=_MEMORY_GIB),
    )


def gpu(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    """The GPUs, their memory, and whether the driver fits torch."""
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
        yield finding(
            "cuda",
            "CUDA",
            int(built.split(".")[0]) <= newest // 1000,
            _("The driver {driver} runs CUDA up to {newest}; torch is built for {built}.").format(
                driver=number, newest=f"{newest // 1000}.{newest % 1000 // 10}", built=built
            ),
            _("Update NVIDIA's driver; until then training runs on the processor."),
        )


def modules(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    """Whether tracker modules can be read."""
    from assistant.audio.tracker import PACKAGE, library_version

    version = library_version()
    yield finding(
        "modules",
        _("Tracker modules"),
        bool(version),
        _("libopenmpt {version} reads MOD, XM, IT and S3M").format(version=version)
        if version
        else _("libopenmpt is not installed; MOD, XM, IT and S3M cannot be read"),
        _("`sudo apt install {package}`; everything else works without it.").format(package=PACKAGE),
    )


def models(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    """The models of the hub that are here."""
    folder = host.hub_cache()
    names = sorted(
        entry.name.removeprefix("models--").replace("--", "/")
        for entry in folder.glob("models--*")
        if any((entry / "snapshots").glob("*/*"))
    )
    yield finding(
        "models",
        _("Hub models"),
        any("musicgen" in name for name in names),
        _("{names} in {folder}").format(folder=folder, names=", ".join(names))
        if names
        else _("No models of the Hugging Face hub are in {folder}.").format(folder=folder),
        _(
            "A hub model such as facebook/musicgen-small is fetched when it is first used, which needs the "
            "internet; the built-in model needs none."
        ),
    )


def sound(_library: Library | None, settings: Settings) -> Iterator[Check]:
    """Where clips can be heard."""
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


def terminal(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    """The terminal and its encoding."""
    name = os.environ.get("TERM", "")
    columns, lines = shutil.get_terminal_size((0, 0))
    if sys.stdin is None or not sys.stdin.isatty():
        detail = _("This is no terminal: commands work, the app needs one.")
        yield Check("terminal", True, detail, title=_("Terminal"))
    else:
        yield finding(
            "terminal",
            _("Terminal"),
            name not in ("", "dumb", "unknown") and columns >= 80 and lines >= 24,
            _("{name}, {columns} columns and {lines} lines").format(
                name=name or "TERM?", columns=columns, lines=lines
            ),
            _("The app wants 80 columns and 24 lines, and a TERM that can place text, such as xterm."),
        )
    encoding = locale.getencoding()
    yield finding(
        "locale",
        _("Locale"),
        encoding.replace("-", "").lower() == "utf8",
        _("The text encoding is {encoding}.").format(encoding=encoding),
        _("Use a UTF-8 locale: `export LANG=C.UTF-8`."),
    )


def logout(_library: Library | None, _settings: Settings) -> Iterator[Check]:
    """Whether what is started goes on after logging out."""
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
