"""Training: a form to start a run, what it would take, and the run that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from assistant.i18n import _
from tui import training_form
from tui.messages import Failed, ModelsRead, RunFollowed
from tui.screens.page import page_bindings
from tui.screens.run_keys import RunPage
from tui.studio_messages import LookedAhead, LookingAhead
from tui.text import visible
from tui.widgets.form import Field, Form
from tui.widgets.keybar import KeyBar
from tui.widgets.prose import Passage, Prose
from tui.widgets.rows import RowList
from tui.widgets.run_panel import RunPanel, phase_words

if TYPE_CHECKING:
    from assistant.musicgen.models import ModelInfo
    from assistant.runs.record import RunRecord
    from tui.following import RunView
    from tui.snapshot import Snapshot


FORM_ACTIONS = frozenset({"train.start", "train.preset", "train.ahead"})
RUN_ACTIONS = frozenset(
    {"train.hold", "train.save", "train.stop", "train.generate", "train.reuse", "train.look_1"}
)


class TrainScreen(RunPage):
    """The form, or the newest run."""

    SCOPE = "train"
    BINDINGS = page_bindings("train")

    def __init__(self) -> None:
        super().__init__()
        self.values = training_form.start_values(self.app.settings)
        self._models: list[ModelInfo] = []
        self._run: str | None = None
        self._view: RunView | None = None
        self._arrived = False
        self._shows_run = False
        self._ahead: LookedAhead | None = None
        self._looking: LookingAhead | None = None

    def body(self) -> ComposeResult:
        with Horizontal(id="train-form-pane"):
            with Vertical(id="train-form-box", classes="box"):
                yield Form(self._fields, self.values, id="train-form")
                yield Static(id="train-help")
            with VerticalScroll(id="train-notes-box", classes="box", can_focus=False):
                yield Prose(id="train-notes")
        with Vertical(id="train-run-pane", classes="box"):
            yield RunPanel()

    def fill(self) -> None:
        self.query_one("#train-form-box").border_title = _("Fine-tune MusicGen")
        self.query_one("#train-notes-box").border_title = _("What that means")
        self._show_pane(self._shows_run)
        self._notes()
        self._help()
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
        if self._shows_run and self._run is not None and self.wants_more(self._view, self._run):
            self.follow_run(self._run)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.query_one("#train-form", Form).reload()
        self._notes()

    @property
    def shown_run(self) -> RunRecord | None:
        """The run in sight."""
        return self._view.run if self._view and self._shows_run else None

    # Keys

    def action_start(self) -> None:
        if self._shows_run:
            # What would start must be seen first.
            self._show_pane(False)
            return
        self.bridge.start_finetune(self.app, training_form.spec_values(self.values))

    def action_ahead(self) -> None:
        self._show_pane(False)
        if self._looking is None:
            self._looking = LookingAhead("")
            self.bridge.studio.look_ahead(self, training_form.spec_values(self.values))
            self._notes()

    def action_preset(self) -> None:
        presets = training_form.PRESETS
        place = presets.index(self.values["preset"])
        self._show_pane(False)
        self.query_one("#train-form", Form).put("preset", presets[(place + 1) % len(presets)])

    def action_classifier(self) -> None:
        self.bridge.start_classifier(self.app)

    def action_look(self, number: int) -> None:
        if not self._shows_run:
            self.action_view()
        if self._shows_run:
            super().action_look(number)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Curves that are not in sight stay as they are."""
        return self._shows_run or action not in ("axis", "log_axis", "zoom", "pan")

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

    def action_reuse(self) -> None:
        run = self.shown_run
        if run is None or run.kind != "finetune":
            self.app.say(_("No fine-tune is shown."))
            return
        self.take_settings(run)

    def take_settings(self, run: RunRecord) -> None:
        """Put the settings of a run into the form, for a new one."""
        values, word = training_form.values_of_run(run)
        self.values.update(values)
        self._show_pane(False)
        self.query_one("#train-form", Form).reload()
        self._notes()
        self.app.say(visible(word), seconds=5)

    # Answers

    @on(ModelsRead)
    def _models_read(self, event: ModelsRead) -> None:
        self._models = event.models
        self.query_one("#train-form", Form).reload()

    @on(RunFollowed)
    def _followed(self, event: RunFollowed) -> None:
        if event.view.run.id != self._run:
            return
        before, self._view = self._view, event.view
        if before is not None and len(event.view.samples) > len(before.samples):
            key = self.app.keys.name("train.look_3")
            self.app.say(_("New samples; {key} shows them.").format(key=key))
        self._paint_run()

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        if event.name == "preset":
            training_form.change_preset(self.values, self.app.settings)
            event.form.reload()
        self._notes()

    @on(RowList.Moved)
    def _moved(self) -> None:
        self._help()

    @on(LookingAhead)
    def _looking_ahead(self, event: LookingAhead) -> None:
        self._looking = event
        self._notes()

    @on(LookedAhead)
    def _looked_ahead(self, event: LookedAhead) -> None:
        self._looking, self._ahead = None, event
        self._notes()

    @on(Failed)
    def _failed(self, event: Failed) -> None:
        """The app shows it."""
        if event.group == "ahead":
            self._looking = None
            self._notes()

    # Painting

    def _follow(self, run: str) -> None:
        if run != self._run:
            self._run, self._view = run, None
            self.query_one(RunPanel).show(None, _("Reading…"))
        self._show_pane(True)
        self.follow_run(run)

    def _show_pane(self, run: bool) -> None:
        self._shows_run = run
        self.idle_actions = FORM_ACTIONS if run else RUN_ACTIONS
        self.query_one(KeyBar).redraw()
        self.query_one("#train-form-pane").display = not run
        self.query_one("#train-run-pane").display = run
        if run:
            self.set_focus(None)
        else:
            self.set_focus(self.query_one("#train-form", Form))

    def _paint_run(self) -> None:
        view = self._view
        if view is not None:
            self.query_one("#train-run-pane").border_title = _("Run")
            self.query_one(RunPanel).show(view)

    def _help(self) -> None:
        field = self.query_one("#train-form", Form).current
        words = field.help if field is not None else ""
        self.query_one("#train-help", Static).update(Content.styled(words, "$dim"), layout=False)

    def _notes(self) -> None:
        lines = []
        if self._ahead is None:  # which knows better
            lines = [
                Passage(sentence, style)
                for style, sentence in training_form.estimate(self.values, self.app.snapshot)
            ]
        model = next((one for one in self._models if one.name == self.values["model"]), None)
        if model is not None:
            lines += [Passage(visible(model.detail)), Passage(visible(model.licence), "$dim")]
        gap = Passage("")
        lines = [*self._preflight(), gap, *lines] if self._ahead else [*lines, gap, *self._preflight()]
        start = self._key("train.start", _("starts it; it goes on when you leave."))
        self.query_one("#train-notes", Prose).show(*lines, gap, start)

    def _key(self, action: str, words: str) -> Passage:
        return Passage(words, "", f"{self.app.keys.name(action)} ", "bold $footer-key-foreground")

    def _preflight(self) -> list[Passage]:
        ask = self._key("train.ahead", _("tries two steps: time, memory, disk, and what to look out for."))
        if self._looking is not None:
            word, share = self._looking.what, ""
            if self._looking.total:
                share = f" {self._looking.done}/{self._looking.total}"
            words = phase_words(word) if word and word != "steps" else _("Two steps are tried…")
            return [Passage(words + share, "$text-accent")]
        if self._ahead is None:
            return [ask]
        lines = [
            Passage(visible(sentence), style)
            for style, sentence in training_form.preflight_lines(self._ahead.found)
        ]
        if _compared(self._ahead.values) != _compared(training_form.spec_values(self.values)):
            return [Passage(_("The form has changed since:"), "$text-warning"), *lines, ask]
        return lines

    def _fields(self) -> list[Field]:
        return training_form.fields(self.app.snapshot, self._models)


def _compared(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ("name", "preset")}
