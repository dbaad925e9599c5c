"""train tag, note, compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistant.commands.console import Context
from assistant.commands.options import Commands, add_command
from assistant.i18n import _

if TYPE_CHECKING:
    from assistant.runs.marks import RunMarks


def add_mark_commands(group: Commands) -> None:
    """Add the commands of this file to the group `train`."""
    tag = add_command(group, "tag", _("give a run tags in place of those it has"), _mark)
    tag.add_argument("run_id", metavar="RUN", help=_("its id, or `last`"))
    tag.add_argument("tags", metavar="TAG", nargs="*", help=_("tags; none takes all away"))
    note = add_command(group, "note", _("write a note beside a run"), _mark)
    note.add_argument("run_id", metavar="RUN", help=_("its id, or `last`"))
    note.add_argument("note", metavar="TEXT", help=_("the note; empty takes it away"))
    compare = add_command(
        group, "compare", _("show in which settings runs differ, and their losses"), _compare
    )
    compare.add_argument("runs", metavar="RUN", nargs="+", help=_("ids of runs"))


def marks_text(marks: RunMarks | None) -> str:
    """Tags and note in a line."""
    if marks is None:
        return ""
    return "  ".join(part for part in (" ".join(f"#{tag}" for tag in marks.tags), marks.note) if part)


def _mark(context: Context) -> int:
    from assistant.commands.train import called_run
    from assistant.runs.marks import mark_run

    called, run = context.arguments, called_run(context)
    tags = tuple(called.tags) if called.what == "tag" else None
    marks = mark_run(context.library, run.id, tags=tags, note=getattr(called, "note", None))
    if context.json:
        context.console.document({"run": run.id, "tags": list(marks.tags), "note": marks.note})
    else:
        context.console.result(f"{run.id}  {marks_text(marks)}")
    return 0


def _compare(context: Context) -> int:
    from assistant.runs.compare import differences
    from assistant.runs.record import read_run

    runs = [read_run(context.library, name) for name in context.arguments.runs]
    rows = differences(runs)
    if context.json:
        document: dict[str, Any] = {
            "runs": [
                {"run": run.id, "loss": run.loss, "valid_loss": run.valid_loss, "step": run.step}
                for run in runs
            ],
            "differences": {name: list(values) for name, values in rows},
        }
        context.console.document(document)
        return 0
    table = [["", *(run.name for run in runs)]]
    for label, value in (("loss", "loss"), ("held-out loss", "valid_loss"), ("step", "step")):
        numbers = [getattr(run, value) for run in runs]
        words = {"loss": _("loss"), "held-out loss": _("held-out loss"), "step": _("step")}[label]
        table.append([words, *(f"{n:.4f}" if isinstance(n, float) else str(n or "") for n in numbers)])
    table += [[name, *map(str, values)] for name, values in rows]
    context.console.table(table)
    return 0
