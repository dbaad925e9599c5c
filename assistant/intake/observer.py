"""One watchdog observer: the kernel's notices of a tree, and what can be checked of its health."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

_LOGGER = "watchdog.observers"
_OVERFLOW = "Inotify queue overflowed; filesystem events"
_STOP_SECONDS = 5.0
_EVENTS: list[type[FileSystemEvent]] = [  # not opening and reading, which our own scans do
    FileCreatedEvent,
    FileMovedEvent,
    FileClosedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]

Tell = Callable[[str], None]


class FolderObserver:
    """Tells the paths, as the kernel names them, at which something happened below a folder.

    `tell` and `overflowed` are called in watchdog's threads. Raises `OSError` where the system has no
    watches or watchers left for even the folder itself.
    """

    def __init__(self, root: Path, tell: Tell, overflowed: Callable[[], None]) -> None:
        # A rename that watchdog meets twice makes it warn with megabytes of text.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")
        self._log = _Log(overflowed)
        self._observer: Any = Observer()  # an inotify descriptor and its thread are there from here on
        try:
            self._observer.schedule(_Handler(tell), str(root), recursive=True, event_filter=_EVENTS)
            logging.getLogger(_LOGGER).addHandler(self._log)
            self._observer.start()
        except BaseException:
            self.stop()
            raise

    @property
    def threads(self) -> list[threading.Thread]:
        """The observer's own thread, its emitters' and the reader's of the kernel's queue."""
        known = [self._observer, *self._observer.emitters, getattr(self._observer, "_inotify_fd", None)]
        return [thread for thread in known if isinstance(thread, threading.Thread)]

    @property
    def alive(self) -> bool:
        """Whether all of its threads run; watchdog's own answer knows of one only."""
        return len(self.threads) >= 2 and all(thread.is_alive() for thread in self.threads)

    def watches(self) -> dict[int, int]:
        """The kernel's watches: watch descriptor to inode."""
        if self._descriptor is None:
            return {}
        found = {}
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/self/fdinfo/{self._descriptor}").read_text("ascii").splitlines():
                if line.startswith("inotify wd:"):
                    fields = dict(field.split(":", 1) for field in line.split()[1:])
                    found[int(fields["wd"], 16)] = int(fields["ino"], 16)
        return found

    def blind(self, root: Path, folders: Mapping[str, int]) -> set[str]:
        """Those of the folders (path below the root to inode) that no notice would come from."""
        watches = self.watches()
        inodes = set(watches.values())
        blind: set[str] = set()
        if _inode(root) in inodes:
            # What a folder's entry says of its inode is not so where something is mounted on it.
            blind = {
                path
                for path, inode in folders.items()
                if inode not in inodes and (now := _inode(root / path)) is not None and now not in inodes
            }
        elif len(watches) < len(folders):  # a file system that numbers its inodes anew for the outside
            blind = set(folders)
        named = self._named(root, watches)
        return blind if named is None else blind | {path for path in folders if path not in named}

    def stop(self) -> None:
        """End its threads, and give up on those that do not end."""
        logging.getLogger(_LOGGER).removeHandler(self._log)
        descriptor, reader = self._descriptor, getattr(self._observer, "_inotify_fd", None)
        died = isinstance(reader, threading.Thread) and not reader.is_alive()
        # watchdog waits for its threads without a limit.
        stopping = threading.Thread(target=self._stop, name="observer-stop", daemon=True)
        stopping.start()
        stopping.join(_STOP_SECONDS)
        if died and descriptor is not None and not stopping.is_alive():
            with contextlib.suppress(OSError):  # nobody is left in the dead thread to close it
                if os.readlink(f"/proc/self/fd/{descriptor}") == "anon_inode:inotify":  # noqa: PTH115
                    os.close(descriptor)

    def _stop(self) -> None:
        threads = self.threads
        queues = [
            getattr(getattr(emitter, "_inotify", None), "_move_event_grouper", None)
            for emitter in self._observer.emitters
        ]
        # Where its bookkeeping is broken, watchdog gives up half-way, or waits for ever.
        for queue in queues:
            with contextlib.suppress(Exception):
                queue.close()  # type: ignore[union-attr]
        for part in (self._observer, *threads):
            with contextlib.suppress(Exception):
                part.stop()
        for thread in threads:
            with contextlib.suppress(RuntimeError):
                thread.join(_STOP_SECONDS)

    @property
    def _descriptor(self) -> int | None:
        number = getattr(getattr(self._observer, "_inotify_fd", None), "_inotify_fd", None)
        return number if isinstance(number, int) else None

    def _named(self, root: Path, watches: Mapping[int, int]) -> set[str] | None:
        """The folders whose watches watchdog can put a path to; a notice of any other is dropped by it.

        It keeps this to itself, so None where it is not kept in the way that we know.
        """
        reader = getattr(self._observer, "_inotify_fd", None)
        for emitter in self._observer.emitters:
            group = getattr(emitter, "_inotify", None)
            paths = getattr(group, "_active_callbacks_by_watch", None)
            heeded = getattr(reader, "_watch_for_wd", None)
            lock = getattr(group, "_lock", None)
            if not (isinstance(paths, dict) and isinstance(heeded, dict) and lock is not None):
                return None
            with lock:
                known = {
                    os.fsdecode(path) for watch, path in paths.items() if watch in watches and watch in heeded
                }
            prefix = str(root)
            return {path.removeprefix(prefix).lstrip("/") for path in known if path.startswith(prefix)}
        return None


class _Handler(FileSystemEventHandler):
    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if path:
                self._tell(os.fsdecode(path))


class _Log(logging.Handler):
    """watchdog tells of lost notices only in its log; there, too, its words stay off the screen."""

    def __init__(self, overflowed: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._overflowed = overflowed

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(_OVERFLOW):
            self._overflowed()


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
