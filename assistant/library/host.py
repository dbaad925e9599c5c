"""What the kernel and the system say of the machine that a library lies on."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "9p",
    "fuse.",
    "ceph",
    "lustre",
    "afs",
    "gluster",
    "beegfs",
    "gpfs",
    "virtiofs",
)
_SHARED_WITH_A_HOST = ("vboxsf", "vmhgfs", "prl_fs", "drvfs")

_SYSTEMD_FOLDERS = ("/usr/lib/systemd", "/run/systemd", "/etc/systemd")
_LOOK_SECONDS = 1.0


def number_in(path: Path) -> int | None:
    """The number that a file of the kernel holds; None where there is no such file or no number."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdigit() else None


def usable_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or what its control group allows."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = (
        number_in(Path("/sys/fs/cgroup/memory.max")),
        number_in(Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")),
    )
    return min(memory, *(limit for limit in limits if limit))


def suspended_seconds() -> float:
    """How long the machine has slept since it was started: one clock runs on meanwhile, one stands still."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def file_system(path: Path) -> str:
    """The kind of file system that a path lies on, as the kernel names it; empty where unknown."""
    path = path.resolve()
    best, kind = -1, ""
    for place, name in _mounts():
        if path.is_relative_to(place) and len(place.parts) >= best:  # a later mount covers an earlier one
            best, kind = len(place.parts), name
    return kind


def silent_file_system(root: Path) -> str:
    """The kind of the file system at or below a folder that does not tell of all changes; empty: all do.

    A change that another machine makes on a network file system is not told to this one, and of those in
    user space nobody knows.
    """
    root = root.resolve()
    kinds = [file_system(root), *(kind for place, kind in _mounts() if place.is_relative_to(root))]
    return next((kind for kind in kinds if kind.startswith((*_NETWORK, *_SHARED_WITH_A_HOST))), "")


def _mounts() -> list[tuple[Path, str]]:
    """The mounted places and their kinds, in order."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    mounts = []
    for line in lines:
        fields = line.split(" ")
        # Spaces and the like in a path are written as octal numbers.
        place = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[1])
        mounts.append((Path(place), fields[2]))
    return mounts


def inotify_limits() -> tuple[int, int] | None:
    """The watches and the watchers that one user may have; None without inotify."""
    folder = Path("/proc/sys/fs/inotify")
    watches, watchers = number_in(folder / "max_user_watches"), number_in(folder / "max_user_instances")
    if watches is None or watchers is None:
        return None
    # Containers have limits of their own besides.
    own = Path("/proc/sys/user")
    own_watches, own_watchers = (
        number_in(own / "max_inotify_watches"),
        number_in(own / "max_inotify_instances"),
    )
    return (
        watches if own_watches is None else min(watches, own_watches),
        watchers if own_watchers is None else min(watchers, own_watchers),
    )


def inotify_use() -> tuple[int, int]:
    """The watches and the watchers that this user's processes have, as far as a second's look shows."""
    watches = watchers = 0
    deadline = time.monotonic() + _LOOK_SECONDS
    for process in Path("/proc").glob("[0-9]*"):
        if time.monotonic() > deadline:
            break
        with contextlib.suppress(OSError):  # another user's, or gone
            if process.stat().st_uid != os.getuid():
                continue
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(link) == "anon_inode:inotify":  # noqa: PTH115 - not a real path
                        watchers += 1
                        about = (process / "fdinfo" / link.name).read_text("ascii")
                        watches += about.count("inotify wd:")
    return watches, watchers


def count_folders(root: Path) -> int:
    """The folders under a root that a watcher watches, itself and hidden ones included; links are not."""
    count = 0
    deadline = time.monotonic() + _LOOK_SECONDS
    for _folder, _names, _files in os.walk(root):
        count += 1
        if time.monotonic() > deadline:
            break
    return count


def runs_systemd() -> bool:
    """Whether systemd manages this machine."""
    return Path("/run/systemd/system").is_dir()


def kills_at_logout() -> bool:
    """Whether logind ends what a user started when the user logs out (`KillUserProcesses=yes`)."""
    folders = [Path(folder) for folder in _SYSTEMD_FOLDERS]
    parts = {path.name: path for folder in folders for path in (folder / "logind.conf.d").glob("*.conf")}
    value = "no"
    for path in [*(folder / "logind.conf" for folder in folders), *(parts[name] for name in sorted(parts))]:
        with contextlib.suppress(OSError):
            text = path.read_text("utf-8", "replace")
            for match in re.finditer(r"^\s*KillUserProcesses\s*=\s*(\S+)", text, re.MULTILINE):
                value = match[1].lower()
    return value in ("yes", "true", "on", "1")


def lingers() -> bool:
    """Whether the user's own services go on after the last logout (`loginctl enable-linger`)."""
    import getpass

    try:
        return (Path("/var/lib/systemd/linger") / getpass.getuser()).exists()
    except (KeyError, OSError):
        return False


def gpu_on_bus() -> bool:
    """Whether a graphics card of NVIDIA is plugged in, with or without a driver."""
    for device in Path("/sys/bus/pci/devices").glob("*"):
        with contextlib.suppress(OSError):
            vendor, kind = (device / "vendor").read_text("ascii"), (device / "class").read_text("ascii")
            if vendor.strip() == "0x10de" and kind.startswith("0x03"):
                return True
    return False


def hub_cache() -> Path:
    """Where audiocraft and the Hugging Face hub's own library keep the models they fetch."""
    for variable, below in (("AUDIOCRAFT_CACHE_DIR", ""), ("HF_HUB_CACHE", ""), ("HF_HOME", "hub")):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / below
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "huggingface" / "hub"
