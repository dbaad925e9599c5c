"""One run: how far it is, its curves, samples, machine and log, and what needs attention."""

from __future__ import annotations

import time

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from assistant.i18n import _
from tui.following import RunView
from tui.text import bar, clock, fit, visible
from tui.vocabulary import status
from tui.widgets.drawn import Drawn
from tui.widgets.loss_plot import Lens, LossPlot, codebook_series, run_series
from tui.widgets.machine import machine_lines, machine_words
from tui.widgets.sample_list import SampleList
from tui.wrapping import wrap

BAR_CELLS = 30
NOTES_SHOWN, NOTES_LINES = 2, 8
LOG_LINES = 200
LOOKS = ("loss", "codebooks", "samples", "machine", "log")
"""What can be looked at of a run; a digit each."""
OTHER_LOOKS_CELLS = (20, 6, 4, 0)
"""The words of those that are not shown are cut until all have room."""
ALERT_STYLES = {
    "error": ("×", "$text-error"),
    "warning": ("!", "$text-warning"),
    "hint": ("·", "$text-accent"),
}


class RunPanel(Vertical):
    """Shows `RunView`s; the same on all pages."""

    DEFAULT_CSS = """
    RunPanel { height: 1fr; }
    RunPanel #run-head { height: 4; }
    RunPanel #run-looks { height: 1; }
    RunPanel #run-text { height: 1fr; }
    RunPanel #run-notes { height: auto; max-height: 8; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._view: RunView | None = None
        self._empty = ""
        self.look = "loss"
        self.lens = Lens()

    def compose(self) -> ComposeResult:
        yield Drawn(self._draw_head, id="run-head")
        yield Drawn(self._draw_looks, id="run-looks")
        yield LossPlot()
        yield SampleList()
        yield Drawn(self._draw_text, id="run-text")
        yield Drawn(self._draw_notes, id="run-notes")

    def on_mount(self) -> None:
        self.show(self._view, self._empty)

    @property
    def view(self) -> RunView | None:
        """The run that is shown."""
        return self._view

    @property
    def wants_log(self) -> bool:
        """Whether the log is looked at."""
        return self.look == "log"

    def look_at(self, look: str) -> None:
        """Show another side of the run."""
        self.look = look
        self.show(self._view, self._empty)
        if look == "samples" and self._view is not None:
            self.query_one(SampleList).focus()
        elif isinstance(self.screen.focused, SampleList):
            self.screen.set_focus(None)

    def look_through(self, lens: Lens) -> None:
        """Show the curves otherwise."""
        self.lens = lens
        self.show(self._view, self._empty)

    def show(self, view: RunView | None, empty: str = "") -> None:
        """Show a run, or words where there is none."""
        arrived = self._view is None and view is not None
        self._view, self._empty = view, empty
        if not self.is_mounted:
            return
        if arrived and self.look == "samples" and self.screen.focused is None:
            self.call_after_refresh(self.query_one(SampleList).focus)
        self.query_one("#run-head", Drawn).redraw()
        self.query_one("#run-looks", Drawn).redraw()
        self.query_one("#run-notes", Drawn).redraw(layout=True)
        plot, samples, text = (
            self.query_one(LossPlot),
            self.query_one(SampleList),
            self.query_one("#run-text", Drawn),
        )
        plot.display = self.look in ("loss", "codebooks")
        samples.display = self.look == "samples"
        text.display = self.look in ("machine", "log")
        if view is None:
            plot.show([])
            samples.show([])
            return
        if self.look == "loss":
            plot.show(run_series(view), view.run.steps, self.lens)
        elif self.look == "codebooks":
            plot.show(codebook_series(view), view.run.steps, self.lens)
        elif self.look == "samples":
            samples.show(list(reversed(view.samples)))
        else:
            text.redraw()

    def _draw_head(self, width: int) -> Content:
        if self._view is None:
            return Content.styled(self._empty, "$dim")
        return Content("\n").join(self._head(self._view, width))

    def _draw_looks(self, width: int) -> Content:
        if self._view is None:
            return Content("")
        words = {
            "loss": _("Loss"),
            "codebooks": _("Codebooks"),
            "samples": _("Samples"),
            "machine": _("Machine"),
            "log": _("Log"),
        }
        if self._view.samples:
            words["samples"] += f" {len(self._view.samples)}"
        line = Content("")
        for most in OTHER_LOOKS_CELLS:
            parts = []
            for number, look in enumerate(LOOKS, 1):
                here = look == self.look
                label = words[look] if here else fit(words[look], most)
                shown = (label, "bold $accent" if here else "$dim")
                parts.append(Content.assemble((f"{number} ", "$footer-key-foreground"), shown))
            line = Content("  ").join(parts)
            if line.cell_length <= width:
                break
        how = [
            word
            for word, on in (
                (_("over time"), self.lens.time),
                (_("log"), self.lens.log),
                (f"{2**self.lens.zoom}×", self.lens.zoom),
            )
            if on
        ]
        if how and self.look in ("loss", "codebooks"):
            line += Content.styled("   " + ", ".join(how), "$dim")
        return line.truncate(width) if line.cell_length > width else line

    def _draw_text(self, width: int) -> Content:
        view = self._view
        if view is None:
            return Content("")
        height = max(1, self.query_one("#run-text").size.height)
        if self.look == "machine":
            return Content("\n").join(machine_lines(view, width, height))
        lines = [Content.styled(fit(visible(line), width), "$dim") for line in view.log[-height:]]
        return Content("\n").join(lines) if lines else Content.styled(_("The log is empty."), "$dim")

    def _draw_notes(self, width: int) -> Content:
        return Content("\n").join(self._notes(self._view, width)) if self._view else Content("")

    def _head(self, view: RunView, width: int) -> list[Content]:
        run = view.run
        state = status(run.state)
        kind = {"finetune": _("fine-tune"), "classifier": _("classifier")}.get(run.kind, run.kind)
        first = Content.assemble(
            (f"{state.mark} {state.word}  ", f"bold {state.style}"),
            (fit(visible(run.name), max(12, width - 34)), "bold"),
            (f"  {kind}  {run.device}", "$dim"),
        )
        if view.phase is not None and run.live:
            word, done, total = view.phase
            second = Content(phase_words(word))
            if total:
                second += Content.styled(f"  {done}/{total}", "$dim")
        else:
            share = run.step / run.steps if run.steps else 0.0
            cells = min(BAR_CELLS, width // 3)
            filled = bar(share, cells)
            second = Content.assemble(
                (filled, "$accent"),
                ("─" * (cells - len(filled)), "$border"),
                " " + _("step {step} of {steps}").format(step=run.step, steps=run.steps or "?"),
            )
            if view.seconds_left is not None:
                second += Content("  " + _("{time} left").format(time=clock(view.seconds_left)))
            elif run.ended and run.started:
                second += Content("  " + _("took {time}").format(time=clock(run.ended - run.started)))
        return [first, second, Content("  ").join(_numbers(view)), machine_words(view, width)]

    def _notes(self, view: RunView, width: int) -> list[Content]:
        run = view.run
        lines = []
        for alert in view.alerts[:2]:
            mark, style = ALERT_STYLES[alert.kind]
            lines.append(Content.styled(fit(f"{mark} {visible(alert.title)}", width), style))
            if alert.what_to_do:
                hint = wrap(visible(alert.what_to_do), width - 2)
                lines += [Content.styled(f"  {line}", "$dim") for line in hint]
        if len(view.alerts) > 2:
            more = _("{count} more; the details of the run have all.").format(count=len(view.alerts) - 2)
            lines.append(Content.styled(fit(f"  {more}", width), "$dim"))
        if run.model and run.state in ("done", "stopped"):
            lines.append(
                Content.assemble((_("Made: {model}").format(model=visible(run.model)), "$text-success"))
            )
        room = max(0, min(NOTES_SHOWN, NOTES_LINES - len(lines)))
        for moment, words in view.notes[len(view.notes) - room :]:
            when = time.strftime("%H:%M:%S", time.localtime(moment))
            lines.append(Content.styled(fit(f"{when} {visible(words)}", width), "$dim"))
        return lines


def _numbers(view: RunView) -> list[Content]:
    run = view.run
    numbers = []
    if run.loss is not None:
        smooth = view.smooth[-1][1] if view.smooth else run.loss
        numbers.append(Content(_("loss {loss:.3f}").format(loss=smooth)))
    if run.valid_loss is not None:
        numbers.append(Content(_("held-out loss {loss:.3f}").format(loss=run.valid_loss)))
    accuracy = run.results.get("accuracy")
    if isinstance(accuracy, (int, float)):
        chance = run.results.get("chance") or 0.0
        words = _("{accuracy:.0%} right, chance {chance:.0%}").format(accuracy=accuracy, chance=chance)
        numbers.append(Content(words))
    if view.tokens_per_second is not None:
        numbers.append(Content(_("{count:,.0f} tokens/s").format(count=view.tokens_per_second)))
    if view.learning_rate is not None:
        numbers.append(Content(_("learning rate {rate:.1e}").format(rate=view.learning_rate)))
    return numbers


def phase_words(word: str) -> str:
    """What a run does before its first step."""
    known = {
        "tokens": _("Before the first step the tracks are encoded."),
        "melodies": _("Before the first step the melodies of the tracks are listened for."),
        "features": _("Before the first step the tracks are measured."),
        "load": _("Before the first step the model is loaded."),
    }
    return known.get(word) or word
