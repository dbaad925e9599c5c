"""What the person notes about runs: tags and a note, beside the record, which only the run itself writes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from assistant import files
from assistant.errors import CallError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.runs.record import read_run, run_folder

MARKS_NAME = "marks.json"
LONGEST_TAG = 40


@dataclass(frozen=True)
class RunMarks:
    """Tags and a note; empty for most runs."""

    tags: tuple[str, ...] = ()
    note: str = ""


def read_marks(library: Library, run_id: str) -> RunMarks:
    """What is noted about a run."""
    return _read(run_folder(library, run_id))


def all_marks(library: Library) -> dict[str, RunMarks]:
    """What is noted, by run, as far as anything is."""
    if not library.paths.runs.is_dir():
        return {}
    found = {folder.name: _read(folder) for folder in library.paths.runs.iterdir()}
    return {name: marks for name, marks in found.items() if marks != RunMarks()}


def mark_run(
    library: Library, run_id: str, *, tags: tuple[str, ...] | None = None, note: str | None = None
) -> RunMarks:
    """Put tags or a note in place of those there were. Raises `CallError` for an unknown run or a bad tag."""
    run = read_run(library, run_id)
    before = read_marks(library, run.id)
    chosen = before.tags if tags is None else tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    for tag in chosen:
        if len(tag) > LONGEST_TAG or not tag.isprintable() or "," in tag:
            raise CallError(
                _("{tag!r} cannot be a tag.").format(tag=tag),
                _("A tag is a few letters without a comma."),
            )
    marks = RunMarks(chosen, before.note if note is None else note.strip())
    files.write_json(run_folder(library, run.id) / MARKS_NAME, asdict(marks))
    return marks


def _read(folder: Path) -> RunMarks:
    try:
        values = json.loads((folder / MARKS_NAME).read_text("utf-8"))
        return RunMarks(tuple(str(tag) for tag in values["tags"]), str(values["note"]))
    except (OSError, ValueError, KeyError, TypeError):
        return RunMarks()
