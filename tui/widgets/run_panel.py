"""One run: how far it is, its curve, and what it said last."""

from __future__ import annotations

import time

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from assistant.i18n import _
from tui.following import RunView
from tui.text import bar, clock, fit, size, visible
from tui.vocabulary import status
from tui.widgets.drawn import Drawn
from tui.widgets.loss_plot import LossPlot

BAR_CELLS = 30
NOTES_SHOWN = 2


class RunPanel(Vertical):
    """Shows `RunView`s; the same on all pages."""

    DEFAULT_CSS = """
    RunPanel { height: 1fr; }
    RunPanel #run-head { height: 4; }
    RunPanel #run-notes { height: auto; max-height: 4; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._view: RunView | None = None
        self._empty = ""

    def compose(self) -> ComposeResult:
        yield Drawn(self._draw_head, id="run-head")
        yield LossPlot()
        yield Drawn(self._draw_notes, id="run-notes")

    def on_mount(self) -> None:
        self.show(self._view, self._empty)

    def show(self, view: RunView | None, empty: str = "") -> None:
        """Show a run, or words where there is none."""
        self._view, self._empty = view, empty
        if not self.is_mounted:
            return
        self.query_one("#run-head").refresh()
        self.query_one("#run-notes").refresh(layout=True)
        plot = self.query_one(LossPlot)
        if view is None:
            plot.show([], [], [])
        else:
            plot.show(view.raw, view.smooth, view.validation, view.run.steps)

    def _draw_head(self, width: int) -> Content:
        if self._view is None:
            return Content.styled(self._empty, "$dim")
        return Content("\n").join(self._head(self._view, width))

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
        return [first, second, Content("  ").join(_numbers(view)), _machine(view, width)]

    def _notes(self, view: RunView, width: int) -> list[Content]:
        run = view.run
        lines = []
        if run.error:
            lines.append(Content.styled(fit(visible(run.error.get("title", "")), width), "$text-error"))
            lines.append(Content.styled(fit(visible(run.error.get("hint", "")), width), "$dim"))
        if run.model and run.state in ("done", "stopped"):
            lines.append(
                Content.assemble((_("Made: {model}").format(model=visible(run.model)), "$text-success"))
            )
        for moment, words in view.notes[-NOTES_SHOWN:]:
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


def _machine(view: RunView, width: int) -> Content:
    parts = []
    if view.memory_bytes:
        parts.append(_("memory {size}").format(size=size(view.memory_bytes)))
    for gpu in view.gpus:
        if view.run.device == f"cuda:{gpu.index}":
            use = "" if gpu.utilisation is None else f" {gpu.utilisation}%"
            heat = "" if gpu.temperature is None else f" {gpu.temperature}°C"
            parts.append(f"{gpu.name}{use} {size(gpu.memory_used)}/{size(gpu.memory_total)}{heat}")
    return Content.styled(fit("  ".join(parts), width), "$dim")


def phase_words(word: str) -> str:
    """What a run does before its first step."""
    known = {
        "model": _("Before the first step the small model is made."),
        "codec": _("Before the first step the codec is trained."),
        "tokens": _("Before the first step the tracks are encoded."),
        "features": _("Before the first step the tracks are measured."),
        "load": _("Before the first step the model is loaded."),
    }
    return known.get(word) or word
