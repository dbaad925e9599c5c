"""What goes on, as lines for the home page."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.content import Content

from assistant.i18n import _
from assistant.intake.account import watch_warning, watch_words
from tui.text import ago, fit, fit_middle, len_cells, pad, size, span, visible
from tui.vocabulary import status

if TYPE_CHECKING:
    from assistant.library.ledger import Track
    from assistant.runs.gpu import Gpu
    from assistant.runs.record import RunRecord
    from tui.feed import IntakeFeed
    from tui.snapshot import Snapshot

RUNS_SHOWN = 3
GPUS_SHOWN = 2
LEAST_RECENT = 2


def now_lines(snapshot: Snapshot, feed: IntakeFeed, width: int, height: int) -> Content:
    """The watcher, what came in or failed last, the classifier, the runs and the GPU."""
    top = _watcher(snapshot, feed, width)
    bottom: list[Content] = []
    if snapshot.classifier is not None:
        _version, accuracy, chance = snapshot.classifier
        words = _("Classifier: {accuracy:.0%} right, chance {chance:.0%}")
        bottom.append(Content(fit(words.format(accuracy=accuracy, chance=chance), width)))
    if not snapshot.runs:
        bottom.append(Content.styled(_("No runs yet."), "$dim"))
    bottom += [_run(run, width) for run in snapshot.runs[:RUNS_SHOWN]]
    bottom += [_gpu(gpu, width) for gpu in snapshot.gpus[:GPUS_SHOWN]]
    room = max(LEAST_RECENT, height - len(top) - len(bottom) - 2)
    recent = [_track(track, width) for track in snapshot.recent[:room]]
    return Content("\n").join([*top, *recent, Content(""), *bottom])


def _watcher(snapshot: Snapshot, feed: IntakeFeed, width: int) -> list[Content]:
    lines = [status(feed.state).content()]
    if feed.state in ("elsewhere", "unwatched", "paused") and feed.problem[0]:
        lines.append(Content.styled(fit(visible(feed.problem[0]), width), "$dim"))
    elif feed.working:
        working = status("working")
        lines[0] = Content.assemble(
            lines[0], "  ", (f"{working.mark} ", working.style), fit_middle(visible(feed.working), width - 16)
        )
    warning = watch_warning(snapshot.watch)
    if warning:
        lines.append(Content.styled(fit(visible(warning), width), "$text-warning"))
    elif words := watch_words(snapshot.watch):
        lines.append(Content.styled(fit(" · ".join(words), width), "$dim"))
    return lines


def _track(track: Track, width: int) -> Content:
    """A file that came in, or why it did not."""
    shown = status(track.state)
    name = visible(track.path.name)
    if track.state == "failed" or track.reason:
        name = fit_middle(name, max(10, width // 3))
        reason = fit(visible(track.reason), max(0, width - len_cells(name) - 4))
        return Content.assemble((f"{shown.mark} ", shown.style), name, "  ", (reason, "$text-error"))
    when = ago(track.changed, time.time())
    room = max(8, width - len_cells(when) - 4)
    return Content.assemble(
        (f"{shown.mark} ", shown.style), pad(fit_middle(name, room), room), "  ", (when, "$dim")
    )


def _run(run: RunRecord, width: int) -> Content:
    state = status(run.state)
    if run.live:
        detail = f"{run.step}/{run.steps or '?'}"
        if run.loss is not None:
            detail += "  " + _("loss {loss:.3f}").format(loss=run.loss)
        if run.started is not None and run.steps and run.step:
            # From the whole run so far; the training page knows better.
            left = (time.time() - run.started) / run.step * (run.steps - run.step)
            detail += "  " + _("{time} left").format(time=span(left))
    else:
        detail = ago(run.ended or run.created, time.time())
    room = max(6, width - len_cells(state.word) - len_cells(detail) - 6)
    return Content.assemble(
        (f"{state.mark} ", state.style),
        fit(visible(run.name), room),
        "  ",
        (state.word, state.style),
        (f"  {detail}", "$dim"),
    ).truncate(width, ellipsis=True)


def _gpu(gpu: Gpu, width: int) -> Content:
    use = "" if gpu.utilisation is None else f"{gpu.utilisation}%  "
    memory = f"{size(gpu.memory_used)} / {size(gpu.memory_total)}"
    return Content.assemble(fit(gpu.name, max(8, width - 28)), (f"  {use}{memory}", "$dim"))
