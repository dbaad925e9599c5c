"""Training: a form to start a run, and the run that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.i18n import _
from tui import training_form
from tui.messages import ModelsRead, RunFollowed
from tui.screens.page import Page, page_bindings
from tui.screens.runs import ask_run
from tui.widgets.form import Field, Form
from tui.widgets.keybar import KeyBar
from tui.widgets.run_panel import RunPanel

if TYPE_CHECKING:
    from assistant.musicgen.models import ModelInfo
    from tui.following import RunView
    from tui.snapshot import Snapshot


FORM_ACTIONS = frozenset({"train.start", "train.preset"})
RUN_ACTIONS = frozenset({"train.hold", "train.save", "train.stop"})


class TrainScreen(Page):
    """The form, or the newest run."""

    SCOPE = "train"
    BINDINGS = page_bindings("train")

    def __init__(self) -> None:
        super().__init__()
        self.values = training_form.start_values(self.app.settings.musicgen)
        self._models: list[ModelInfo] = []
        self._run: str | None = None
        self._view: RunView | None = None
        self._arrived = False
        self._shows_run = False

    def body(self) -> ComposeResult:
        with Horizontal(id="train-form-pane"):
            with Vertical(id="train-form-box", classes="box"):
                yield Form(self._fields, self.values, id="train-form")
            with Vertical(id="train-notes-box", classes="box"):
                yield Static(id="train-notes")
        with Vertical(id="train-run-pane", classes="box"):
            yield RunPanel()

    def fill(self) -> None:
        self.query_one("#train-form-box").border_title = _("Fine-tune MusicGen")
        self.query_one("#train-notes-box").border_title = _("What that means")
        self._show_pane(self._shows_run)
        self._notes()
        if self._view is not None:
            self._paint_run()

    def arrive(self) -> None:
        self.bridge.read_models(self)
        wanted = self.app.take_wanted_run()
        live = self.app.snapshot.live_runs if self.app.snapshot else []
        if wanted is not None:
            self._follow(wanted)
        elif not self._arrived and live:
            self._follow(live[0].id)
        self._arrived = True

    def poll(self) -> None:
        if self._shows_run and self._run is not None and (self._view is None or self._view.run.live):
            self.bridge.follow(self, self._run)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.query_one(Form).reload()
        self._notes()

    # Keys

    def action_start(self) -> None:
        if self._shows_run:
            # What would start must be seen first.
            self._show_pane(False)
            return
        self.bridge.start_finetune(self.app, training_form.spec_values(self.values))

    def action_preset(self) -> None:
        presets = training_form.PRESETS
        place = presets.index(self.values["preset"])
        self._show_pane(False)
        self.query_one(Form).put("preset", presets[(place + 1) % len(presets)])

    def action_classifier(self) -> None:
        self.bridge.start_classifier(self.app)

    def action_view(self) -> None:
        if self._shows_run:
            self._show_pane(False)
            return
        runs = self.app.snapshot.runs if self.app.snapshot else ()
        run = self._run or (runs[0].id if runs else None)
        if run is None:
            self.app.say(
                _("There is no run yet. {key} starts one.").format(key=self.app.keys.name("train.start"))
            )
        else:
            self._follow(run)

    def action_hold(self) -> None:
        ask_run(self, self._view.run if self._view and self._shows_run else None, "hold")

    def action_save(self) -> None:
        ask_run(self, self._view.run if self._view and self._shows_run else None, "save")

    def action_stop(self) -> None:
        ask_run(self, self._view.run if self._view and self._shows_run else None, "stop")

    # Answers

    @on(ModelsRead)
    def _models_read(self, event: ModelsRead) -> None:
        self._models = event.models
        self.query_one(Form).reload()

    @on(RunFollowed)
    def _followed(self, event: RunFollowed) -> None:
        if event.view.run.id == self._run:
            self._view = event.view
            self._paint_run()

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        if event.name == "preset":
            self.values |= training_form.preset_values(self.values["preset"], self.app.settings.musicgen)
            event.form.reload()
        self._notes()

    # Painting

    def _follow(self, run: str) -> None:
        if run != self._run:
            self._run, self._view = run, None
            self.query_one(RunPanel).show(None, _("Reading…"))
        self._show_pane(True)
        self.bridge.follow(self, run)

    def _show_pane(self, run: bool) -> None:
        self._shows_run = run
        self.idle_actions = FORM_ACTIONS if run else RUN_ACTIONS
        self.query_one(KeyBar).refresh()
        self.query_one("#train-form-pane").display = not run
        self.query_one("#train-run-pane").display = run
        if run:
            self.set_focus(None)
        else:
            self.set_focus(self.query_one(Form))

    def _paint_run(self) -> None:
        view = self._view
        if view is not None:
            self.query_one("#train-run-pane").border_title = _("Run")
            self.query_one(RunPanel).show(view)

    def _notes(self) -> None:
        lines = [
            Content.styled(sentence, style)
            for style, sentence in training_form.estimate(self.values, self.app.snapshot)
        ]
        model = next((one for one in self._models if one.name == self.values["model"]), None)
        if model is not None:
            lines += [Content(""), Content(model.detail), Content.styled(model.licence, "$dim")]
        start = _("starts it; it goes on when you leave.")
        lines += [
            Content(""),
            Content.assemble((self.app.keys.name("train.start") + " ", "bold $footer-key-foreground"), start),
        ]
        self.query_one("#train-notes", Static).update(Content("\n").join(lines))

    def _fields(self) -> list[Field]:
        return training_form.fields(self.app.snapshot, self._models)
