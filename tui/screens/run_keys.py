"""What can be done with the run that a page shows: the same keys on both pages that show one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on

from assistant.i18n import _
from tui.bridge import HOLD
from tui.screens.page import Page
from tui.text import visible
from tui.vocabulary import status
from tui.widgets.run_panel import LOG_LINES, LOOKS, RunPanel
from tui.widgets.sample_list import SampleList

if TYPE_CHECKING:
    from assistant.runs.record import RunRecord
    from tui.following import RunView


class RunPage(Page):
    """A page with a `RunPanel`. It says itself which run is meant."""

    @property
    def shown_run(self) -> RunRecord | None:
        """The run that is shown or marked."""
        raise NotImplementedError

    def follow_run(self, run_id: str) -> None:
        """Ask for the run as it is now, with its log where that is looked at."""
        panel = self.query_one(RunPanel)
        self.bridge.follow(self, run_id, LOG_LINES if panel.wants_log else 0)

    def wants_more(self, view: RunView | None, run_id: str) -> bool:
        """Whether what is known of a run is not all that is to be shown."""
        if view is None or view.run.id != run_id or view.run.live:
            return True
        return self.query_one(RunPanel).wants_log and not view.log

    # Looking

    def action_look(self, number: int) -> None:
        panel = self.query_one(RunPanel)
        panel.look_at(LOOKS[number])
        if panel.wants_log and self.shown_run is not None:
            self.follow_run(self.shown_run.id)

    def action_axis(self) -> None:
        panel = self.query_one(RunPanel)
        panel.look_through(replace(panel.lens, time=not panel.lens.time, zoom=0, back=0))

    def action_log_axis(self) -> None:
        panel = self.query_one(RunPanel)
        panel.look_through(replace(panel.lens, log=not panel.lens.log))

    def action_zoom(self, direction: int) -> None:
        panel = self.query_one(RunPanel)
        panel.look_through(panel.lens.zoomed(direction))

    def action_pan(self, direction: int) -> None:
        panel = self.query_one(RunPanel)
        panel.look_through(panel.lens.moved(direction))

    # Asking

    def action_hold(self) -> None:
        ask_run(self, self.shown_run, "hold")

    def action_save(self) -> None:
        ask_run(self, self.shown_run, "save")

    def action_stop(self) -> None:
        ask_run(self, self.shown_run, "stop")

    def action_generate(self) -> None:
        run = self.shown_run
        if run is None or run.kind != "finetune" or not run.model:
            self.app.say(_("This run has made no model to generate with."))
            return
        self.app.wanted_model = run.model
        self.app.action_go("generate")

    @on(SampleList.Wanted)
    def _sample_wanted(self, event: SampleList.Wanted) -> None:
        sample = event.sample
        path = Path(sample.base if event.how == "base" else sample.path)
        if event.how != "both":
            self.bridge.listening.toggle(path)
            return
        from tui.screens.compare_clips import CompareScreen, Side

        self.app.push_screen(
            CompareScreen(
                Side(_("before"), Path(sample.base)),
                Side(_("step {step}").format(step=sample.step), Path(sample.path)),
            )
        )


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
