"""Where on this machine the person's music may be."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from assistant.audio.formats import MIDI_SUFFIXES, is_source_name, suffix_of
from assistant.config import GENRES
from assistant.library.library import STATE_FOLDER

_PASSED_OVER = frozenset(
    {"node_modules", "site-packages", "__pycache__", "venv", "lost+found", "proc", "sys", "dev", "snap"}
)
_DEPTH = 8
_LOOKS_BETWEEN_CLOCKS = 64


@dataclass(frozen=True)
class MusicFolder:
    """A folder with music in it, also further down."""

    path: Path
    files: int
    """Music files, as far as was counted."""
    midi: int
    """How many of them are MIDI."""
    genres: tuple[str, ...]
    """Folders right inside that are named like genres: the music is sorted already."""
    library: bool
    """It is a library of musichelper."""
    counted: bool
    """False where time ran out before all of it was seen."""


@dataclass
class _Node:
    path: Path
    depth: int
    parent: _Node | None
    own: int = 0
    files: int = 0
    midi: int = 0
    children: list[_Node] = field(default_factory=list)


def music_folders(home: Path, *, seconds: float = 2.0, genres: Iterable[str] = GENRES) -> list[MusicFolder]:
    """Folders with music under `home` and in the desktop's music folder, the fullest first.

    Breadth first, so that what is near is found in any case; links and hidden folders are passed
    over. Takes about `seconds` at most, and never raises.
    """
    deadline = time.monotonic() + seconds
    roots = [_Node(path, 0, None) for path in _roots(home)]
    waiting = deque(roots)
    looked = 0
    while waiting:
        looked += 1
        if looked % _LOOKS_BETWEEN_CLOCKS == 0 and time.monotonic() > deadline:
            break
        waiting.extend(_look(waiting.popleft()))
    unseen = {id(ancestor) for node in waiting for ancestor in _with_ancestors(node)}
    wanted = {genre.casefold() for genre in genres}
    found = []
    for root in roots:
        # The roots themselves hold everything; what a person would name lies below.
        for node in root.children if root is roots[0] and not root.own else [root]:
            while not node.own and (full := [child for child in node.children if child.files]):
                if len(full) > 1 or (node.path / STATE_FOLDER).is_dir():
                    break
                node = full[0]
            if node.files:
                found.append(_folder(node, wanted, id(node) not in unseen))
    return sorted(found, key=lambda folder: (-folder.files, folder.path))


def _roots(home: Path) -> list[Path]:
    """The home folder, and the desktop's music folder where that lies elsewhere."""
    roots = [home]
    try:
        text = (home / ".config" / "user-dirs.dirs").read_text("utf-8", "replace")
    except OSError:
        return roots
    match = re.search(r'^XDG_MUSIC_DIR="(.+)"$', text, re.MULTILINE)
    if match:
        music = Path(match[1].replace("$HOME", os.fspath(home)))
        if music.is_dir() and not music.is_relative_to(home):
            roots.append(music)
    return roots


def _look(node: _Node) -> list[_Node]:
    """Count a folder's own files into all above it; returns the folders in it."""
    files = midi = 0
    try:
        with os.scandir(node.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _PASSED_OVER:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if node.depth < _DEPTH:
                        node.children.append(_Node(Path(entry.path), node.depth + 1, node))
                elif is_source_name(entry.name) and entry.is_file():
                    files += 1
                    midi += suffix_of(entry.name) in MIDI_SUFFIXES
    except OSError:
        return []
    node.own = files
    for above in _with_ancestors(node):
        above.files += files
        above.midi += midi
    return node.children


def _with_ancestors(node: _Node) -> list[_Node]:
    chain = [node]
    while chain[-1].parent is not None:
        chain.append(chain[-1].parent)
    return chain


def _folder(node: _Node, genres: set[str], counted: bool) -> MusicFolder:
    return MusicFolder(
        path=node.path,
        files=node.files,
        midi=node.midi,
        genres=tuple(
            sorted(
                child.path.name
                for child in node.children
                if child.files and child.path.name.casefold() in genres
            )
        ),
        library=(node.path / STATE_FOLDER).is_dir(),
        counted=counted,
    )
