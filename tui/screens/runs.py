"""All runs: the list, and the one under the cursor; up to four are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from assistant.i18n import _
from tui import run_history
from tui.messages import RunFollowed
from tui.screens.page import page_bindings
from tui.screens.run_keys import RunPage, ask_run
from tui.studio import MOST_COMPARED
from tui.studio_messages import RunMarksRead, RunsCompared
from tui.text import visible
from tui.widgets.rows import RowList
from tui.widgets.run_panel import RunPanel

if TYPE_CHECKING:
    from assistant.runs.marks import RunMarks
    from assistant.runs.record import RunRecord
    from tui.following import RunView
    from tui.snapshot import Snapshot

__all__ = ["RunsScreen", "ask_run"]


class RunsScreen(RunPage):
    """History on the left, one run on the right."""

    SCOPE = "runs"
    BINDINGS = page_bindings("runs")

    def __init__(self) -> None:
        super().__init__()
        self._view: RunView | None = None
        self._marks: dict[str, RunMarks] = {}
        self._order = run_history.ORDERS[0]
        self._compared: list[str] = []

    def body(self) -> ComposeResult:
        with Horizontal(id="runs"):
            with Vertical(id="runs-left", classes="box"):
                yield RowList(
                    self._line, key=lambda run: run.id, empty=self._empty, ages=True, id="runs-rows"
                )
            with Vertical(id="runs-right", classes="box"):
                yield RunPanel()

    def fill(self) -> None:
        self._title()
        self.query_one("#runs-rows", RowList).focus()
        self.query_one(RunPanel).show(self._view, self._empty())

    def arrive(self) -> None:
        self.bridge.studio.read_marks(self)
        self._follow()

    def poll(self) -> None:
        run = self.shown_run
        if run is not None and (run.live or self.wants_more(self._view, run.id)):
            self._follow()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._show(snapshot)
        self._follow()

    @property
    def shown_run(self) -> RunRecord | None:
        """The run under the cursor."""
        run: RunRecord | None = self.query_one("#runs-rows", RowList).current
        return run

    @on(RowList.Moved, "#runs-rows")
    def _moved(self) -> None:
        self._follow()

    @on(RunFollowed)
    def _followed(self, event: RunFollowed) -> None:
        run = self.shown_run
        if run is not None and event.view.run.id == run.id:
            self._view = event.view
            self.query_one(RunPanel).show(event.view)
        else:
            self._follow()

    @on(RunMarksRead)
    def _marks_read(self, event: RunMarksRead) -> None:
        self._marks = event.marks
        self._reorder()

    @on(RunsCompared)
    def _runs_compared(self, event: RunsCompared) -> None:
        from tui.screens.compare_runs import CompareRunsScreen

        self.app.push_screen(CompareRunsScreen(event.views))

    # Keys

    def action_open(self) -> None:
        run = self.shown_run
        if run is not None:
            hint, text = run_history.details(run, self._marks.get(run.id), self._view)
            self.app.show_text(run.id, text, hint=hint)

    def action_order(self) -> None:
        orders = run_history.ORDERS
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self._reorder()
        self._title()

    def action_tag(self) -> None:
        from tui.screens.ask import AskScreen

        run = self.shown_run
        if run is None:
            return
        marks = self._marks.get(run.id)
        known = sorted({tag for one in self._marks.values() for tag in one.tags})

        def take(text: str | None) -> None:
            if text is not None:
                tags = tuple(text.replace(",", " ").split())
                self.bridge.studio.mark_run(self, run.id, tags=tags)

        self.app.push_screen(
            AskScreen(
                _("Tags of {name}").format(name=visible(run.name)),
                " ".join(marks.tags) if marks else "",
                help=_("Words with spaces between them; ↑ brings those of other runs."),
                history=known,
            ),
            take,
        )

    def action_note(self) -> None:
        from tui.screens.ask import AskScreen

        run = self.shown_run
        if run is None:
            return
        marks = self._marks.get(run.id)

        def take(text: str | None) -> None:
            if text is not None:
                self.bridge.studio.mark_run(self, run.id, note=text)

        title = _("A note on {name}").format(name=visible(run.name))
        self.app.push_screen(AskScreen(title, marks.note if marks else ""), take)

    def action_mark(self) -> None:
        run = self.shown_run
        if run is None:
            return
        if run.id in self._compared:
            self._compared.remove(run.id)
        elif len(self._compared) == MOST_COMPARED:
            self.app.say(_("At most {count} runs are compared.").format(count=MOST_COMPARED))
        else:
            self._compared.append(run.id)
        self.query_one("#runs-rows", RowList).refresh()

    def action_compare(self) -> None:
        run, chosen = self.shown_run, list(self._compared)
        if run is not None and run.id not in chosen and len(chosen) < MOST_COMPARED:
            chosen.append(run.id)
        if len(chosen) < 2:
            key = self.app.keys.name("runs.mark")
            self.app.say(_("{key} marks runs to compare; two are needed.").format(key=key))
            return
        self.bridge.studio.compare(self, chosen)

    def action_reuse(self) -> None:
        run = self.shown_run
        if run is None or run.kind != "finetune":
            self.app.say(_("No fine-tune is shown."))
            return
        self.app.action_go("train")
        from tui.screens.train import TrainScreen

        def take() -> None:
            if isinstance(self.app.screen, TrainScreen):
                self.app.screen.take_settings(run)

        self.app.call_later(take)

    # Painting

    def _follow(self) -> None:
        run = self.shown_run
        if run is not None:
            self.follow_run(run.id)

    def _reorder(self) -> None:
        if self.app.snapshot is not None:
            self._show(self.app.snapshot)

    def _show(self, snapshot: Snapshot) -> None:
        runs = run_history.ordered(snapshot.runs, self._order, self._marks)
        self.query_one("#runs-rows", RowList).show(runs)

    def _title(self) -> None:
        words = _("Runs")
        if self._order != run_history.ORDERS[0]:
            words += f" ({run_history.order_word(self._order)})"
        self.query_one("#runs-left").border_title = words

    def _line(self, run: RunRecord, width: int) -> Content:
        return run_history.run_line(
            run, width, compared=run.id in self._compared, marks=self._marks.get(run.id)
        )

    def _empty(self) -> str:
        key = self.app.keys.name("app.train")
        return _("No runs yet. {key} leads to training.").format(key=key)
