"""All runs: the list, and the curve of the one under the cursor."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from assistant.i18n import _
from tui.bridge import HOLD
from tui.messages import RunFollowed
from tui.screens.page import Page, page_bindings
from tui.text import ago, fit, pad, visible
from tui.vocabulary import status
from tui.widgets.rows import RowList
from tui.widgets.run_panel import RunPanel

if TYPE_CHECKING:
    from assistant.runs.record import RunRecord
    from tui.following import RunView
    from tui.snapshot import Snapshot


def ask_run(page: Page, run: RunRecord | None, word: str) -> None:
    """Ask a run for something; `hold` is pause or resume, whichever fits. Stopping is asked twice."""
    if run is None:
        page.app.say(_("No run is shown."))
        return
    if not (run.state in HOLD if word == "hold" else run.live):
        page.app.say(
            _("The run {name} is {state}.").format(name=visible(run.name), state=status(run.state).word)
        )
        return
    if word != "stop":
        page.bridge.ask_run(page.app, run.id, word)
        return
    from tui.screens.dialog import ConfirmDialog

    page.app.push_screen(
        ConfirmDialog(
            _("Stop {name}?").format(name=visible(run.name)),
            _("It saves itself first and can be resumed later."),
        ),
        lambda yes: page.bridge.ask_run(page.app, run.id, "stop") if yes else None,
    )


class RunsScreen(Page):
    """History on the left, one run on the right."""

    SCOPE = "runs"
    BINDINGS = page_bindings("runs")

    def __init__(self) -> None:
        super().__init__()
        self._view: RunView | None = None

    def body(self) -> ComposeResult:
        with Horizontal(id="runs"):
            with Vertical(id="runs-left", classes="box"):
                yield RowList(
                    self._line, key=lambda run: run.id, empty=self._empty, ages=True, id="runs-rows"
                )
            with Vertical(id="runs-right", classes="box"):
                yield RunPanel()

    def fill(self) -> None:
        self.query_one("#runs-left").border_title = _("Runs")
        self.query_one(RowList).focus()
        self.query_one(RunPanel).show(self._view, self._empty())

    def arrive(self) -> None:
        self._follow()

    def poll(self) -> None:
        run = self._current
        if run is not None and (run.live or self._view is None or self._view.run.id != run.id):
            self._follow()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.query_one(RowList).show(snapshot.runs)
        self._follow()

    @on(RowList.Moved)
    def _moved(self) -> None:
        self._follow()

    @on(RunFollowed)
    def _followed(self, event: RunFollowed) -> None:
        run = self._current
        if run is not None and event.view.run.id == run.id:
            self._view = event.view
            self.query_one(RunPanel).show(event.view)
        else:
            self._follow()

    # Keys

    def action_open(self) -> None:
        run = self._current
        if run is None:
            return
        hint = "\n".join((run.error or {}).values())
        self.app.show_text(run.id, json.dumps(run.as_dict(), indent=2, ensure_ascii=False), hint=hint)

    def action_hold(self) -> None:
        ask_run(self, self._current, "hold")

    def action_save(self) -> None:
        ask_run(self, self._current, "save")

    def action_stop(self) -> None:
        ask_run(self, self._current, "stop")

    def action_generate(self) -> None:
        run = self._current
        if run is None or run.kind != "finetune" or not run.model:
            self.app.say(_("This run has made no model to generate with."))
            return
        self.app.wanted_model = run.model
        self.app.action_go("generate")

    # Painting

    @property
    def _current(self) -> RunRecord | None:
        run: RunRecord | None = self.query_one("#runs-rows", RowList).current
        return run

    def _follow(self) -> None:
        run = self._current
        if run is not None:
            self.bridge.follow(self, run.id)

    def _line(self, run: RunRecord, width: int) -> Content:
        state = status(run.state)
        when = ago(run.ended or run.created, time.time())
        if run.live and run.steps:
            when = f"{100 * run.step // run.steps}%"
        when = pad(fit(when, 11), 11, right=True)
        room = max(6, width - 24)
        return Content.assemble(
            " ",
            (f"{state.mark} {pad(state.word, 8)}", state.style),
            " ",
            pad(visible(run.name), room),
            (when, "$dim"),
        )

    def _empty(self) -> str:
        key = self.app.keys.name("app.train")
        return _("No runs yet. {key} leads to training.").format(key=key)
