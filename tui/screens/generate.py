"""Generating: a prompt, a form, the clips; again, with another seed, or further on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.i18n import _, ngettext
from tui import generating
from tui.messages import ClipsRead, Failed, Generated, GenerationEnded, GenerationMoved, ModelsRead, PeaksRead
from tui.screens.page import Page, page_bindings
from tui.text import ago, bar, clock, fit, pad, visible
from tui.widgets.form import Field, Form
from tui.widgets.header import home_short
from tui.widgets.rows import RowList
from tui.widgets.waveform import Waveform

if TYPE_CHECKING:
    from assistant.library.ledger import ClipRow
    from assistant.musicgen.models import ModelInfo
    from tui.snapshot import Snapshot

CLIPS_SHOWN = 300
PEAKS_WIDTH = 240
PROGRESS_CELLS = 24


class GenerateScreen(Page):
    """Prompt on top, form on the left, clips on the right."""

    SCOPE = "generate"
    BINDINGS = page_bindings("generate")

    def __init__(self) -> None:
        super().__init__()
        self.values = generating.start_values(self.app.settings)
        self._chosen_model = False
        self._newest: Path | None = None
        """A clip that was just made, until it is in the list."""
        self._models: list[ModelInfo] = []
        self._clips: list[ClipRow] = []
        self._typed: list[str] = []
        self._peaks: tuple[Path, list[tuple[float, float]]] | None = None
        self._progress: GenerationMoved | None = None
        self._word = ""
        self._count = -1

    def body(self) -> ComposeResult:
        with Vertical(id="generate-prompt-box", classes="box"):
            yield Static(id="generate-prompt")
        with Horizontal(id="generate"):
            with Vertical(id="generate-left", classes="box"):
                yield Form(self._fields, self.values, id="generate-form")
                yield Static(id="generate-licence")
            with Vertical(id="generate-right", classes="box"):
                yield RowList(
                    self._line, key=lambda clip: clip.path, empty=self._empty, ages=True, id="generate-clips"
                )
                yield Waveform(id="generate-wave")
                yield Static(id="generate-recipe")
        yield Static(id="generate-progress")

    def fill(self) -> None:
        self.query_one("#generate-prompt-box").border_title = _("Prompt")
        self.query_one("#generate-left").border_title = _("How")
        self.query_one("#generate-right").border_title = _("Clips")
        self.query_one("#generate-clips", RowList).show(self._clips)
        self.query_one(Form).focus()
        self._paint_prompt()
        self._paint_licence()
        self._paint_clip()
        self._paint_progress()

    def arrive(self) -> None:
        self.bridge.read_models(self)
        self.bridge.read_clips(self, CLIPS_SHOWN)
        if self.app.wanted_model is not None:
            self.values["model"], self.app.wanted_model = self.app.wanted_model, None
            self._chosen_model = True
            self.query_one(Form).reload()

    def poll(self) -> None:
        clip, wave = self._current, self.query_one(Waveform)
        playing = self.bridge.listening.playing()
        if clip is not None and playing == clip.path and clip.duration:
            wave.share = min(1.0, self.bridge.listening.position() / clip.duration)
        elif wave.share:
            wave.share = 0.0

    def show_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.clips != self._count:
            self._count = snapshot.clips
            self.bridge.read_clips(self, CLIPS_SHOWN)

    # Keys

    def action_start(self) -> None:
        if self.bridge.engine.busy:
            self.app.say(
                _("A clip is being made. {key} stops it.").format(key=self.app.keys.name("generate.cancel"))
            )
            return
        self._word = ""
        self._progress = GenerationMoved(0, int(self.values["count"]), 0, 0)
        self._paint_progress()
        self.bridge.engine.generate(self, generating.spec_values(self.values))

    def action_prompt(self) -> None:
        from tui.screens.ask import AskScreen

        history = generating.prompt_history(self._clips, self._typed)

        def take(text: str | None) -> None:
            if text is not None:
                self.values["prompt"] = text.strip()
                if text.strip():
                    self._typed.append(text.strip())
                self._paint_prompt()

        self.app.push_screen(
            AskScreen(
                _("Prompt"),
                str(self.values["prompt"]),
                help=_("What it should sound like, in English. ↑ brings earlier prompts; empty: anything."),
                history=history,
            ),
            take,
        )

    def action_model(self) -> None:
        from tui.screens.pick import PickScreen

        options = [generating.model_option(model) for model in self._models]

        def take(name: str | None) -> None:
            if name is not None:
                self._chosen_model = True
                self.query_one(Form).put("model", name)

        self.app.push_screen(PickScreen(_("Model"), options, self.values["model"]), take)

    def action_play(self) -> None:
        clip = self._current
        if clip is not None:
            self.bridge.listening.toggle(clip.path)

    def action_again(self) -> None:
        self._reuse(seed=True)

    def action_new_seed(self) -> None:
        self._reuse(seed=False)

    def action_continue(self) -> None:
        clip = self._current
        if clip is not None:
            values = generating.from_recipe(clip.recipe, seed=False)
            self._put(values | {"continue_from": str(clip.path)}, _("The form goes on from this clip."))

    def action_cancel(self) -> None:
        if self.bridge.engine.busy:
            self.bridge.engine.cancel()

    def action_recipe(self) -> None:
        clip = self._current
        if clip is not None:
            width = max(map(len, clip.recipe), default=0) + 2
            text = "\n".join(
                f"{pad(name, width)}{visible(str(value))}" for name, value in clip.recipe.items()
            )
            self.app.show_text(home_short(clip.path), text, copy=str(clip.path))

    def _reuse(self, *, seed: bool) -> None:
        clip = self._current
        if clip is not None:
            self._put(generating.from_recipe(clip.recipe, seed=seed), "")
            self.action_start()

    def _put(self, values: dict[str, object], word: str) -> None:
        self.values.update(values)
        self.query_one(Form).reload()
        self._paint_prompt()
        self._paint_licence()
        if word:
            self.app.say(word)

    # Answers

    @on(ModelsRead)
    def _models_read(self, event: ModelsRead) -> None:
        self._models = event.models
        # The newest model of one's own is what a person wants to hear, unless another was chosen.
        own = [model.name for model in event.models if model.kind == "fine-tuned"]
        if own and not self._chosen_model:
            self.values["model"] = own[0]
        self.query_one(Form).reload()
        self._paint_licence()

    @on(ClipsRead)
    def _clips_read(self, event: ClipsRead) -> None:
        self._clips = event.clips
        clips = self.query_one("#generate-clips", RowList)
        clips.show(event.clips)
        made = [place for place, clip in enumerate(event.clips) if clip.path == self._newest]
        if made:
            clips.mark(made[0])
            self._newest = None
        self._paint_clip()

    @on(RowList.Moved)
    def _moved(self, event: RowList.Moved) -> None:
        if event.rows.id == "generate-clips":
            self._paint_clip()

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        if event.name == "model":
            self._chosen_model = True
        self._paint_licence()

    @on(PeaksRead)
    def _peaks_read(self, event: PeaksRead) -> None:
        self._peaks = (event.path, event.peaks)
        self._paint_clip()

    @on(GenerationMoved)
    def _generation_moved(self, event: GenerationMoved) -> None:
        if self.bridge.engine.busy:
            self._progress = event
            self._paint_progress()

    @on(Generated)
    def _generated(self, event: Generated) -> None:
        count = len(event.paths)
        self._word = ngettext("{count} clip made.", "{count} clips made.", count).format(count=count)
        self._newest = event.paths[0] if event.paths else None
        self.bridge.read_clips(self, CLIPS_SHOWN)
        self.query_one("#generate-clips", RowList).focus()

    @on(Failed)
    def _failed(self, event: Failed) -> None:
        """The app shows it."""
        if event.group == "generate":
            self._word = _("Nothing was made.")

    @on(GenerationEnded)
    def _ended(self, event: GenerationEnded) -> None:
        self._progress = None
        if event.cancelled:
            self._word = _("Stopped; clips that were done are kept.")
            self.bridge.read_clips(self, CLIPS_SHOWN)
        self._paint_progress()

    # Painting

    @property
    def _current(self) -> ClipRow | None:
        clip: ClipRow | None = self.query_one("#generate-clips", RowList).current
        return clip

    def _fields(self) -> list[Field]:
        return generating.fields(self._models)

    def _paint_prompt(self) -> None:
        key = (f"{self.app.keys.name('generate.prompt')} ", "bold $footer-key-foreground")
        prompt = str(self.values["prompt"])
        text = (visible(prompt), "") if prompt else (_("anything; write what it should sound like"), "$dim")
        self.query_one("#generate-prompt", Static).update(Content.assemble(key, text), layout=False)

    def _paint_licence(self) -> None:
        model = next((one for one in self._models if one.name == self.values["model"]), None)
        words = ""
        if model is not None:
            licence = visible(model.licence)
            if "NC" in model.licence:
                words = _("Licence: {licence} (not for commerce)").format(licence=licence)
            else:
                words = _("Licence: {licence}").format(licence=licence)
            words += f"\n{visible(model.detail)}"
        self.query_one("#generate-licence", Static).update(Content.styled(words, "$dim"), layout=False)

    def _paint_clip(self) -> None:
        clip, wave = self._current, self.query_one(Waveform)
        recipe = self.query_one("#generate-recipe", Static)
        if clip is None:
            wave.show([])
            recipe.update("", layout=False)
            return
        recipe.update(
            Content.styled(fit(generating.recipe_line(clip), self.size.width), "$dim"), layout=False
        )
        if self._peaks is not None and self._peaks[0] == clip.path:
            wave.show(self._peaks[1])
        else:
            wave.show([], _("Reading…"))
            self.bridge.read_peaks(self, clip.path, PEAKS_WIDTH)

    def _paint_progress(self) -> None:
        line = self.query_one("#generate-progress", Static)
        moved = self._progress
        if moved is None:
            line.update(Content.styled(self._word, "$dim"), layout=False)
            return
        if not moved.total:
            line.update(Content.styled(_("Loading the model…"), "$text-accent"), layout=False)
            return
        filled = bar(moved.done / moved.total, PROGRESS_CELLS)
        which = _("clip {place} of {count}").format(place=min(moved.clip + 1, moved.clips), count=moved.clips)
        line.update(
            Content.assemble(
                f"{which} ",
                (filled, "$accent"),
                ("─" * (PROGRESS_CELLS - len(filled)), "$border"),
                f" {moved.done}/{moved.total}",
            ),
            layout=False,
        )

    def _line(self, clip: ClipRow, width: int) -> Content:
        prompt = str(clip.recipe.get("prompt") or "")
        when = pad(ago(clip.made, time.time()), 11, right=True)
        length = pad(clock(clip.duration), 6, right=True)
        room = max(6, width - 19)
        text = (pad(visible(prompt), room), "") if prompt else (pad(_("anything"), room), "$dim")
        return Content.assemble(" ", text, (f"{length}{when}", "$dim"))

    def _empty(self) -> str:
        return _("No clips yet. {key} makes one.").format(key=self.app.keys.name("generate.start"))
