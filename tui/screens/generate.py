"""Generating: a prompt, a form, the clips; again, with another seed, varied, or further on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.i18n import _, ngettext
from assistant.musicgen.prompts import is_chinese
from tui import generating
from tui.messages import (
    ClipsRead,
    Failed,
    Generated,
    GenerationEnded,
    GenerationMoved,
    ModelsRead,
    Translated,
)
from tui.progress_words import GenerationProgress
from tui.screens.clip_keys import ClipPage
from tui.screens.page import page_bindings
from tui.studio_messages import FirstSound, TemplatesRead
from tui.text import visible
from tui.widgets.clip_view import ClipView
from tui.widgets.form import Field, Form
from tui.widgets.rows import RowList

if TYPE_CHECKING:
    from assistant.library.ledger import ClipRow
    from assistant.musicgen.models import ModelInfo
    from tui.snapshot import Snapshot

CLIPS_SHOWN = 300
SHELVES = ("all", "favourites", "rated", "rejected")
RATED = 4
"""From this rating on a clip is on the shelf of the best."""


class GenerateScreen(ClipPage):
    """Prompt on top, form on the left, clips on the right."""

    SCOPE = "generate"
    BINDINGS = page_bindings("generate")

    def __init__(self) -> None:
        super().__init__()
        self.values = generating.start_values(self.app.settings)
        self._chosen_model = False
        self._newest: Path | None = None
        """A clip that was just made, until it is in the list."""
        self._beside: ClipRow | None = None
        """The clip that what is being made shall be compared with."""
        self._models: list[ModelInfo] = []
        self._clips: list[ClipRow] = []
        self._typed: list[str] = []
        self._captions: list[tuple[str, str]] = []
        self._progress = GenerationProgress()
        self._first_sound: Path | None = None
        self._word = ""
        self._count = -1
        self._shelf = SHELVES[0]

    def body(self) -> ComposeResult:
        with Vertical(id="generate-prompt-box", classes="box"):
            yield Static(id="generate-prompt")
        with Horizontal(id="generate"):
            with Vertical(id="generate-left", classes="box"):
                yield Form(self._fields, self.values, id="generate-form")
                with Vertical(id="generate-meaning"):
                    yield Static(id="generate-help")
                    yield Static(id="generate-licence")
            with Vertical(id="generate-right", classes="box"):
                yield ClipView(self._empty, self.want_peaks, self.want_mel)
        yield Static(id="generate-progress")

    def fill(self) -> None:
        self.query_one("#generate-prompt-box").border_title = _("Prompt")
        self.query_one("#generate-left").border_title = _("How")
        self._title()
        self.clip_view.show(self._clips)
        self._form.focus()
        self._paint_prompt()
        self._paint_words()
        self._paint_progress()

    def arrive(self) -> None:
        self.bridge.read_models(self)
        self.bridge.studio.read_templates(self)
        self.clips_changed()
        if self.app.wanted_model is not None:
            self.values["model"], self.app.wanted_model = self.app.wanted_model, None
            self._chosen_model = True
            self._form.reload()

    def poll(self) -> None:
        clip, playing = self.clip, self.bridge.listening.playing()
        heard = 0.0
        if clip is not None and playing == clip.path and clip.duration:
            heard = min(1.0, self.bridge.listening.position() / clip.duration)
        self.clip_view.heard(heard)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.clips != self._count:
            self._count = snapshot.clips
            self.clips_changed()

    def clips_changed(self) -> None:
        chosen: dict[str, dict[str, Any]] = {
            "favourites": {"favourites": True},
            "rated": {"rating": RATED},
            "rejected": {"rejected": True},
        }
        self.bridge.read_clips(self, CLIPS_SHOWN, **chosen.get(self._shelf, {}))

    # Keys

    def action_start(self) -> None:
        self._beside = None
        self._start(self.values)

    def action_prompt(self) -> None:
        from tui.screens.prompt import PromptScreen

        def take(text: str | None) -> None:
            if text is not None:
                self.values["prompt"] = text.strip()
                if text.strip():
                    self._typed.append(text.strip())
                self._say_in_english("prompt")
                self._paint_prompt()

        history = generating.prompt_history(self._clips, self._typed)
        self.app.push_screen(
            PromptScreen(str(self.values["prompt"]), history, self._captions, says=generating.english_words),
            take,
        )

    def action_model(self) -> None:
        from tui.screens.pick import PickScreen

        options = [generating.model_option(model) for model in self._models]

        def take(name: str | None) -> None:
            if name is not None:
                self._chosen_model = True
                self._form.put("model", name)

        self.app.push_screen(PickScreen(_("Model"), options, self.values["model"]), take)

    def action_again(self) -> None:
        self._reuse(seed=True)

    def action_new_seed(self) -> None:
        self._reuse(seed=False)

    def action_vary(self) -> None:
        self._reuse(seed=False, count=generating.VARIATIONS)

    def action_continue(self) -> None:
        clip = self.wanted_clip()
        if clip is not None:
            values = generating.from_recipe(clip.recipe, seed=False) | {"melody": None}
            self._put(values | {"continue_from": str(clip.path)}, _("The form goes on from this clip."))

    def action_melody(self) -> None:
        clip = self.wanted_clip()
        if clip is not None:
            values = {"melody": str(clip.path), "continue_from": None, "seed": None}
            model = str(self.values["model"])
            word = _("The form follows the melody of this clip.")
            if "melody" not in model:
                word += " " + _("Choose a melody model for it.")
            self._put(values, word)

    def action_beside(self) -> None:
        """The same prompt and seed with the base of the clip's model, then both by turns."""
        clip = self.wanted_clip()
        if clip is None or self._busy():
            return
        other = generating.other_model(clip, self._models, str(self.values["model"]))
        if other is None:
            self.app.say(_("Choose another model in the form: this one was made by it, and it has no base."))
            return
        self._beside = clip
        self._start({**self.values, **generating.from_recipe(clip.recipe, seed=True), "model": other})

    def action_cancel(self) -> None:
        if self.bridge.engine.busy:
            self.bridge.engine.cancel()

    def action_shelf(self) -> None:
        self._shelf = SHELVES[(SHELVES.index(self._shelf) + 1) % len(SHELVES)]
        self._title()
        self.clips_changed()

    def action_play(self) -> None:
        if self._first_sound is not None:
            self.bridge.listening.toggle(self._first_sound)
        else:
            super().action_play()

    def _reuse(self, *, seed: bool, count: int = 1) -> None:
        clip = self.wanted_clip()
        if clip is not None:
            self._put(generating.from_recipe(clip.recipe, seed=seed) | {"count": count}, "")
            self.action_start()

    def _put(self, values: dict[str, Any], word: str) -> None:
        self.values.update(values)
        self._form.reload()
        self._paint_prompt()
        self._paint_words()
        if word:
            self.app.say(word)

    def _busy(self) -> bool:
        if self.bridge.engine.busy:
            key = self.app.keys.name("generate.cancel")
            self.app.say(_("A clip is being made. {key} stops it.").format(key=key))
        return self.bridge.engine.busy

    def _start(self, values: dict[str, Any]) -> None:
        if self._busy():
            return
        self._word, self._first_sound = "", None
        self._progress.begin(int(values["count"]))
        self._paint_progress()
        self.bridge.engine.generate(self, generating.spec_values(values))

    # Answers

    @on(ModelsRead)
    def _models_read(self, event: ModelsRead) -> None:
        self._models = event.models
        # The newest model of one's own is what a person wants to hear, unless another was chosen.
        own = [model.name for model in event.models if model.kind == "fine-tuned"]
        if own and not self._chosen_model:
            self.values["model"] = own[0]
        self._form.reload()
        self._paint_words()

    @on(TemplatesRead)
    def _templates_read(self, event: TemplatesRead) -> None:
        from tui.screens.prompt import PromptScreen

        self._captions = event.captions
        if isinstance(self.app.screen, PromptScreen):
            self.app.screen.take_captions(event.captions)

    def _say_in_english(self, name: str) -> None:
        """After a prompt, or those of later parts, are other ones."""
        self.values[generating.ENGLISH[name]] = ""
        self._form.reload()
        if is_chinese(str(self.values[name])):
            self.bridge.translate(self, name, str(self.values[name]))

    @on(Translated)
    def _translated(self, event: Translated) -> None:
        english = generating.ENGLISH[event.name]
        if event.prompt == self.values[event.name] and not self.values.get(english):
            self.values[english] = event.english
            self._form.reload()

    @on(ClipsRead)
    def _clips_read(self, event: ClipsRead) -> None:
        self._clips = event.clips
        self.clip_view.show(event.clips)
        made = [place for place, clip in enumerate(event.clips) if clip.path == self._newest]
        if made:
            self.clip_view.rows.mark(made[0])
            self._newest = None
            if self._beside is not None:
                beside, self._beside = self._beside, None
                self.compare(event.clips[made[0]], beside)
        self.clip_view.paint()

    @on(RowList.Moved)
    def _moved(self, event: RowList.Moved) -> None:
        if event.rows.id == "generate-clips":
            self.clip_view.paint()
        else:
            self._paint_words()

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        if event.name == "model":
            self._chosen_model = True
        elif event.name in generating.ENGLISH:
            self._say_in_english(event.name)
        self._paint_words()

    @on(GenerationMoved)
    def _generation_moved(self, event: GenerationMoved) -> None:
        if self.bridge.engine.busy:
            self._progress.move(event)
            self._paint_progress()

    @on(FirstSound)
    def _sounded(self, event: FirstSound) -> None:
        if self.bridge.engine.busy:
            self._first_sound = event.path
            key = self.app.keys.name("generate.play")
            self._word = _("{key} plays the first {seconds:.0f} s.").format(key=key, seconds=event.seconds)
            self._paint_progress()

    @on(Generated)
    def _generated(self, event: Generated) -> None:
        count = len(event.paths)
        self._word = ngettext("{count} clip made.", "{count} clips made.", count).format(count=count)
        self._newest = event.paths[0] if event.paths else None
        self._shelf = SHELVES[0]
        self._title()
        self.clips_changed()
        self.clip_view.rows.focus()

    @on(Failed)
    def _failed(self, event: Failed) -> None:
        """The app shows it."""
        if event.group == "generate":
            self._word, self._beside = _("Nothing was made."), None

    @on(GenerationEnded)
    def _ended(self, event: GenerationEnded) -> None:
        self._progress.end()
        self._first_sound = None
        if event.cancelled:
            self._word, self._beside = _("Stopped; clips that were done are kept."), None
            self.clips_changed()
        self._paint_progress()

    # Painting

    @property
    def _form(self) -> Form:
        return self.query_one("#generate-form", Form)

    def _fields(self) -> list[Field]:
        return generating.fields(self._models, self.values)

    def _title(self) -> None:
        words = {
            "all": _("Clips"),
            "favourites": _("Clips: favourites"),
            "rated": _("Clips: rated {rating} or better").format(rating=RATED),
            "rejected": _("Clips: trash"),
        }[self._shelf]
        self.query_one("#generate-right").border_title = words

    def _paint_prompt(self) -> None:
        key = (f"{self.app.keys.name('generate.prompt')} ", "bold $footer-key-foreground")
        prompt = str(self.values["prompt"])
        text = (visible(prompt), "") if prompt else (_("anything; write what it should sound like"), "$dim")
        self.query_one("#generate-prompt", Static).update(Content.assemble(key, text), layout=False)

    def _paint_words(self) -> None:
        """The meaning of the setting under the cursor, and the model's licence."""
        field = self._form.current
        help_words = field.help if field is not None else ""
        self.query_one("#generate-help", Static).update(Content(help_words), layout=False)
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

    def _paint_progress(self) -> None:
        line, word = self._progress.line(), Content.styled(self._word, "$dim")
        going = self._progress.going
        whole = Content("  ").join([line, word]) if going and self._word else line if going else word
        self.query_one("#generate-progress", Static).update(whole, layout=False)

    def _empty(self) -> str:
        if self._shelf != SHELVES[0]:
            key = self.app.keys.name("generate.shelf")
            return _("Nothing here. {key} shows other clips.").format(key=key)
        return _("No clips yet. {key} makes one.").format(key=self.app.keys.name("generate.start"))
