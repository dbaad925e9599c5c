"""The one table of actions and keys; bindings, footer, palette and help are made from it.

Each action of the labelling loop has a key that works while an input method is on. There are no
combinations with Ctrl but the palette's: terminals, tmux and input methods eat them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType

from assistant.errors import CallError
from assistant.i18n import _ as translate


def _(message: str) -> str:
    """Mark for the catalogue; `Action` translates when it is shown."""
    return message


@dataclass(frozen=True)
class Action:
    """Something a key does. `scope` is the screen it belongs to, or `app`, `list`, `form`, `dialog`."""

    id: str
    """How the settings name it."""
    call: str
    """Textual's action string, without namespace."""
    keys: tuple[str, ...]
    short: str
    long: str
    footer: bool = True
    palette: bool = True

    @property
    def scope(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def label(self) -> str:
        """The word for the footer, in the language in use."""
        return translate(self.short)

    @property
    def help(self) -> str:
        """The sentence for the help, in the language in use."""
        return translate(self.long)


SCREENS = ("home", "intake", "label", "train", "generate", "runs", "settings")
LISTS = ("intake", "generate", "runs")
FORMS = ("train", "generate", "settings")
WITH_SAMPLES = ("train", "runs")
DIGITS = "1234567890"
PALETTE_KEY = "ctrl+p"
REDRAW_KEY = "ctrl+l"
"""As in every other program of the terminal."""
_ALONE = ("dialog", "confirm", "pick", "accept", "caption", "compare", "curves", "export", "sound")
"""Scopes of dialogs, where no other keys are live."""


def _go(screen: str, key: str, short: str, long: str) -> Action:
    return Action(f"app.{screen}", f"go('{screen}')", (key,), short, long, footer=False)


def _lens(scope: str) -> tuple[Action, ...]:
    """How curves are looked at."""
    return (
        Action(
            f"{scope}.axis", "axis", ("t",), _("Time/steps"), _("Curves over time, or over steps."), False
        ),
        Action(
            f"{scope}.log_axis", "log_axis", ("l",), _("Log axis"), _("Losses on a logarithmic axis."), False
        ),
        Action(f"{scope}.nearer", "zoom(1)", ("plus", "equals_sign"), _("Zoom"), _("Half as much."), False),
        Action(f"{scope}.farther", "zoom(-1)", ("minus",), _("Zoom"), _("Twice as much."), False),
        Action(f"{scope}.older", "pan(-1)", ("comma",), _("Older"), _("The part before."), False, False),
        Action(f"{scope}.newer", "pan(1)", ("full_stop",), _("Newer"), _("The part after it."), False, False),
    )


def _looks(scope: str) -> tuple[Action, ...]:
    """What can be looked at of a run."""
    words = (
        (_("Loss"), _("The loss: each step, smoothed, and held out.")),
        (_("Codebooks"), _("The loss of each codebook.")),
        (_("Samples"), _("Clips that the run made on its way; Enter plays, b the base's, a both by turns.")),
        (_("Machine"), _("The GPU or the processors over the last minutes.")),
        (_("Log"), _("The end of the run's log.")),
    )
    looks = (
        Action(f"{scope}.look_{number}", f"look({number - 1})", (str(number),), short, long, False)
        for number, (short, long) in enumerate(words, 1)
    )
    return (*looks, *_lens(scope))


ACTIONS: tuple[Action, ...] = (
    Action("app.help", "help", ("f1", "question_mark"), _("Help"), _("Show the keys of this screen.")),
    _go("home", "f2", _("Home"), _("What is in the folder, what is happening, what to do next.")),
    _go("intake", "f3", _("Intake"), _("See files come in, and why some did not.")),
    _go("label", "f4", _("Label"), _("Give genres to the tracks that have none.")),
    _go("train", "f5", _("Train"), _("Fine-tune MusicGen on the library.")),
    _go("generate", "f6", _("Generate"), _("Make clips.")),
    _go("runs", "f7", _("Runs"), _("All training runs, with their curves.")),
    _go("settings", "f8", _("Settings"), _("Language, theme, player.")),
    Action(
        "app.sound",
        "sound",
        ("P",),
        _("Sound"),
        _("How sound reaches you: what works, the line for ssh, another player."),
        footer=False,
    ),
    Action("app.back", "back", ("escape",), _("Back"), _("One level up."), footer=False, palette=False),
    Action("app.quit", "leave", ("q",), _("Quit"), _("Leave; runs go on by themselves.")),
    Action(
        "app.palette",
        "command_palette",
        (PALETTE_KEY,),
        _("Palette"),
        _("Find an action by its name."),
        footer=False,
        palette=False,
    ),
    Action(
        "app.redraw",
        "redraw",
        (REDRAW_KEY,),
        _("Redraw"),
        _("Draw the whole screen anew, when something else has written over it."),
        footer=False,
    ),
    # Home
    Action("home.next", "next", ("enter",), _("Do that"), _("Do what is proposed as the next step.")),
    Action("home.intake", "app.go('intake')", ("i",), _("Intake"), _("Go to the intake."), palette=False),
    Action("home.label", "app.go('label')", ("l",), _("Label"), _("Go to labelling."), palette=False),
    Action("home.train", "app.go('train')", ("t",), _("Train"), _("Go to training."), palette=False),
    Action(
        "home.generate", "app.go('generate')", ("g",), _("Generate"), _("Go to generating."), palette=False
    ),
    Action("home.runs", "app.go('runs')", ("r",), _("Runs"), _("Go to the runs."), palette=False),
    Action(
        "home.classifier",
        "classifier",
        ("c",),
        _("Classifier"),
        _("Train the genre classifier on the labelled tracks; proposals follow."),
    ),
    # Intake
    Action("intake.open", "open", ("enter",), _("Details"), _("Show all that is known of the file.")),
    Action(
        "intake.failures", "failures", ("f",), _("Failed only"), _("Show only what failed, or all again.")
    ),
    Action("intake.play", "play", ("space",), _("Play"), _("Play the track, or stop.")),
    Action("intake.retry", "retry", ("r",), _("Try again"), _("Try the file again that failed.")),
    Action(
        "intake.retry_all",
        "retry_all",
        ("R",),
        _("All again"),
        _("Try all files again that failed."),
        footer=False,
    ),
    # Label
    Action("label.accept", "accept", ("enter", "a"), _("Accept"), _("Accept the marked proposal and go on.")),
    Action("label.up", "choose(-1)", ("up",), _("Mark"), _("Mark the proposal above."), False, False),
    Action("label.down", "choose(1)", ("down",), _("Mark"), _("Mark the proposal below."), False, False),
    *(
        Action(
            f"label.genre_{digit}",
            f"digit({DIGITS.index(digit)})",
            (digit,),
            _("Genre"),
            _("Give the genre with this digit and go on."),
            footer=False,
            palette=False,
        )
        for digit in DIGITS
    ),
    Action("label.genre", "genre", ("slash", "home"), _("Any genre"), _("Choose any genre by typing.")),
    Action(
        "label.undo",
        "undo",
        ("u", "backspace"),
        _("Undo"),
        _("Take the last decision back, again and again."),
    ),
    Action("label.play", "play", ("space",), _("Play"), _("Play the track from the mark on, or stop.")),
    Action(
        "label.skip",
        "skip",
        ("s", "insert"),
        _("Skip"),
        _("Leave it for later: it comes again at the end."),
    ),
    Action("label.flag", "flag", ("f", "f9"), _("Flag"), _("Mark it for another look.")),
    Action(
        "label.reject",
        "reject",
        ("x", "delete"),
        _("Not music"),
        _("No music, or none of the genres; it stays unlabelled."),
    ),
    Action("label.redo", "redo", ("U", "end"), _("Redo"), _("Do again what was undone.")),
    Action("label.back", "seek(-1)", ("left",), _("Seek"), _("Five seconds back."), False, False),
    Action("label.ahead", "seek(1)", ("right",), _("Seek"), _("Five seconds on."), True, False),
    Action(
        "label.next", "browse(1)", ("n", "pagedown"), _("Next"), _("Look at the next one without deciding.")
    ),
    Action("label.previous", "browse(-1)", ("p", "pageup"), _("Previous"), _("Look at the one before.")),
    Action("label.caption", "caption", ("e",), _("Caption"), _("Write the caption yourself.")),
    Action(
        "label.why",
        "why",
        ("i",),
        _("Why"),
        _("What each part of the track sounds like, and the confirmed tracks that it resembles."),
    ),
    Action(
        "label.all", "accept_all", ("A",), _("Accept all"), _("Accept all sure proposals, after a preview.")
    ),
    Action(
        "label.order", "order", ("o",), _("Order"), _("Closest first, surest first, newest first, by folder.")
    ),
    Action(
        "label.view",
        "view",
        ("v",),
        _("Review"),
        _("Go through flagged tracks, or labels that the sound contradicts."),
    ),
    Action("label.autoplay", "autoplay", ("t",), _("Autoplay"), _("Play each track as it comes, or do not.")),
    Action("label.reload", "reload", ("r",), _("New ones"), _("Take new files into the queue.")),
    # While a caption is written, where letters are text
    Action("caption.save", "save", ("enter",), _("Save"), _("Keep this caption."), True, False),
    Action("caption.close", "close", ("escape",), _("Cancel"), _("Leave all as it was."), True, False),
    # Train
    Action("train.start", "start", ("s",), _("Start"), _("Start the fine-tune; it goes on without the app.")),
    Action("train.preset", "preset", ("p",), _("Preset"), _("Quick try, style of a genre, or all weights.")),
    Action(
        "train.ahead",
        "ahead",
        ("d",),
        _("Try it"),
        _("Try two steps and say what it would take: time, memory, disk; nothing is started."),
    ),
    Action("train.hold", "hold", ("space",), _("Pause/resume"), _("Pause the run, or let it go on.")),
    Action("train.save", "save", ("w",), _("Save"), _("Write a checkpoint now.")),
    Action("train.stop", "stop", ("x",), _("Stop"), _("Save the run and stop it.")),
    Action("train.generate", "generate", ("g",), _("Generate"), _("Generate with the model of this run.")),
    Action(
        "train.reuse",
        "reuse",
        ("e",),
        _("Once more"),
        _("Put the settings of this run into the form; after a lack of memory, smaller ones."),
    ),
    Action("train.view", "view", ("v",), _("Form/run"), _("Change between the form and the run.")),
    Action(
        "train.classifier", "classifier", ("c",), _("Classifier"), _("Train the genre classifier instead.")
    ),
    *_looks("train"),
    # Generate
    Action("generate.start", "start", ("g",), _("Generate"), _("Make clips from the form.")),
    Action(
        "generate.prompt",
        "prompt",
        ("e", "slash"),
        _("Prompt"),
        _("Write the prompt; ↑ brings earlier ones and captions of your music."),
    ),
    Action("generate.play", "play", ("space",), _("Play"), _("Play the clip, or stop.")),
    Action("generate.again", "again", ("a",), _("Again"), _("Take the clip's prompt, settings and seed.")),
    Action(
        "generate.new_seed",
        "new_seed",
        ("n",),
        _("New seed"),
        _("The clip's prompt and settings, another seed."),
    ),
    Action("generate.vary", "vary", ("v",), _("Vary"), _("Four more of the clip's prompt and settings.")),
    Action(
        "generate.favour", "favour", ("f",), _("Favourite"), _("Make the clip a favourite, or no longer.")
    ),
    Action(
        "generate.reject",
        "reject",
        ("x", "delete"),
        _("Trash"),
        _("Move the clip into the trash, or back from it; undo brings it back too."),
    ),
    Action(
        "generate.undo",
        "undo",
        ("u", "backspace"),
        _("Undo"),
        _("Take the last rating, favourite, note or rejection back."),
    ),
    Action("generate.redo", "redo", ("U",), _("Redo"), _("Do again what was undone."), footer=False),
    *(
        Action(
            f"generate.rate_{number}",
            f"rate({number})",
            (str(number),),
            _("Rate"),
            _("Rate the clip, 1 to 5; the same digit again takes the rating away."),
            footer=False,
            palette=False,
        )
        for number in range(1, 6)
    ),
    Action(
        "generate.compare",
        "compare",
        ("b",),
        _("A/B"),
        _("Mark the clip as A; on another clip, hear the two by turns at the same place."),
    ),
    Action(
        "generate.beside",
        "beside",
        ("d",),
        _("Base beside it"),
        _("Make the clip's prompt and seed with the base of its model, and hear both by turns."),
    ),
    Action("generate.continue", "continue", ("c",), _("Continue"), _("Go on from where the clip ends.")),
    Action("generate.melody", "melody", ("t",), _("As melody"), _("Follow the melody of the clip.")),
    Action("generate.picture", "picture", ("p",), _("Picture"), _("Waveform or mel spectrogram.")),
    Action("generate.loop", "loop", ("l",), _("Loop"), _("Play clips again and again, or once.")),
    Action("generate.export", "export", ("w",), _("Export"), _("Write a copy as another kind of file.")),
    Action("generate.note", "note", ("N",), _("Note"), _("Write a note beside the clip.")),
    Action(
        "generate.shelf",
        "shelf",
        ("o",),
        _("Shelf"),
        _("All clips, favourites, the best rated, or the trash."),
    ),
    Action("generate.model", "model", ("m",), _("Model"), _("Choose a model and see its licence.")),
    Action("generate.cancel", "cancel", ("s",), _("Stop"), _("Stop generating.")),
    Action("generate.open", "recipe", ("r",), _("Recipe"), _("Show all that makes the clip again.")),
    Action("generate.back", "seek(-1)", ("comma",), _("Seek"), _("Five seconds back."), False, False),
    Action("generate.ahead", "seek(1)", ("full_stop",), _("Seek"), _("Five seconds on."), False, False),
    Action(
        "generate.panes",
        "app.focus_next",
        ("tab",),
        _("Form/clips"),
        _("Change between form and clips."),
        palette=False,
    ),
    # Runs
    Action("runs.open", "open", ("enter",), _("Details"), _("Show all that is known of the run.")),
    Action("runs.hold", "hold", ("space",), _("Pause/resume"), _("Pause the run, or let it go on.")),
    Action("runs.save", "save", ("w",), _("Save"), _("Write a checkpoint now.")),
    Action("runs.stop", "stop", ("x",), _("Stop"), _("Save the run and stop it.")),
    Action("runs.generate", "generate", ("g",), _("Generate"), _("Generate with the model of this run.")),
    Action("runs.mark", "mark", ("m",), _("Mark"), _("Mark the run to be compared; four at most.")),
    Action(
        "runs.compare",
        "compare",
        ("c",),
        _("Compare"),
        _("Curves of the marked runs, and where they differ."),
    ),
    Action("runs.order", "order", ("o",), _("Order"), _("Newest first, by name, by loss, by tag.")),
    Action("runs.tag", "tag", ("T",), _("Tags"), _("Give the run tags.")),
    Action("runs.note", "note", ("n",), _("Note"), _("Write a note beside the run.")),
    Action(
        "runs.reuse",
        "reuse",
        ("e",),
        _("Once more"),
        _("Put the settings of this run into the form; after a lack of memory, smaller ones."),
    ),
    *_looks("runs"),
    # Samples of a run
    Action(
        "samples.hear", "hear('itself')", ("enter",), _("Play"), _("Play the sample, or stop."), False, False
    ),
    Action(
        "samples.base", "hear('base')", ("b",), _("Base"), _("Play what the base made of it."), False, False
    ),
    Action(
        "samples.both", "hear('both')", ("a",), _("A/B"), _("Hear it and the base's by turns."), False, False
    ),
    # Two clips by turns
    Action("compare.first", "hear(0)", ("a", "left"), "A", _("Hear A from the same place on.")),
    Action("compare.second", "hear(1)", ("b", "right"), "B", _("Hear B from the same place on.")),
    Action("compare.swap", "swap", ("tab", "enter"), _("The other"), _("Change to the other.")),
    Action("compare.play", "play", ("space",), _("Play"), _("Play, or stop.")),
    Action("compare.again", "again", ("r", "home"), _("From the start"), _("From the beginning."), False),
    Action("compare.blind", "blind", ("h",), _("Blind"), _("Hide which is which, in a new order each time.")),
    Action("compare.vote_first", "vote(0)", ("1",), _("A better"), _("Vote for A.")),
    Action("compare.vote_second", "vote(1)", ("2",), _("B better"), _("Vote for B.")),
    Action("compare.match", "match", ("m",), _("Loudness"), _("Both equally loud, or each as it is.")),
    Action("compare.close", "close", ("escape",), _("Close"), _("Close the dialog.")),
    # Curves of several runs
    Action("curves.curve", "curve", ("v",), _("Held-out/loss"), _("Smoothed loss, or held-out loss.")),
    *_lens("curves"),
    Action("curves.close", "close", ("escape", "enter"), _("Close"), _("Close the dialog.")),
    # Writing a copy of a clip
    Action("export.write", "write", ("w",), _("Write"), _("Write the copy."), True, False),
    Action("export.close", "close", ("escape",), _("Cancel"), _("Leave all as it was."), True, False),
    # Ways of sound
    Action(
        "sound.choose", "choose", ("enter",), _("Use it"), _("Hear through this from now on."), True, False
    ),
    Action("sound.copy", "copy", ("y",), _("Copy"), _("Copy the command for your computer."), True, False),
    Action(
        "sound.copy_link", "copy_link", ("l",), _("Copy link"), _("Copy the link of the page."), True, False
    ),
    Action("sound.close", "close", ("escape",), _("Close"), _("Close the dialog."), True, False),
    # Settings
    Action("settings.save", "save", ("w",), _("Save"), _("Write the choices into the configuration file.")),
    # In lists and forms
    Action("list.up", "move(-1)", ("up", "k"), _("Up"), _("The line above."), False, False),
    Action("list.down", "move(1)", ("down", "j"), _("Down"), _("The line below."), False, False),
    Action("list.page_up", "page(-1)", ("pageup",), _("Page up"), _("A page up."), False, False),
    Action("list.page_down", "page(1)", ("pagedown",), _("Page down"), _("A page down."), False, False),
    Action("list.first", "edge(0)", ("home",), _("First"), _("The first line."), False, False),
    Action("list.last", "edge(1)", ("end",), _("Last"), _("The last line."), False, False),
    Action("form.edit", "edit", ("enter",), _("Edit"), _("Edit the value."), True, False),
    Action(
        "form.less",
        "change(-1)",
        ("left",),
        _("Change"),
        _("The value before, or a smaller one."),
        False,
        False,
    ),
    Action(
        "form.more", "change(1)", ("right",), _("Change"), _("The next value, or a larger one."), True, False
    ),
    # In choices that are typed, where letters are text
    Action("pick.up", "move(-1)", ("up",), _("Up"), _("The line above."), False, False),
    Action("pick.down", "move(1)", ("down",), _("Down"), _("The line below."), False, False),
    Action("pick.close", "close", ("escape",), _("Cancel"), _("Leave all as it was."), True, False),
    # First screen of a folder that is no library yet
    Action("welcome.choose", "choose", ("enter",), _("Choose"), _("Do what the marked line says.")),
    # Questions
    Action("confirm.yes", "yes", ("enter", "y"), _("Yes"), _("Do it."), True, False),
    Action("confirm.no", "no", ("escape", "n"), _("No"), _("Leave all as it was."), True, False),
    # Accepting many
    Action("accept.yes", "yes", ("enter", "y"), _("Accept all"), _("Label them all."), True, False),
    Action("accept.less", "change(-1)", ("left",), _("Lower"), _("A lower probability."), True, False),
    Action("accept.more", "change(1)", ("right",), _("Higher"), _("A higher probability."), True, False),
    Action("accept.no", "no", ("escape", "n"), _("Cancel"), _("Leave all as it was."), True, False),
    # In dialogs
    Action("dialog.close", "close", ("escape", "enter"), _("Close"), _("Close the dialog."), True, False),
    Action(
        "dialog.copy",
        "copy",
        ("y",),
        _("Copy"),
        _("Copy the text to the clipboard of your terminal."),
        True,
        False,
    ),
)

_BY_ID = {action.id: action for action in ACTIONS}

_NAMES = {
    "enter": "Enter",
    "space": "Space",
    "escape": "Esc",
    "backspace": "⌫",
    "slash": "/",
    "question_mark": "?",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "delete": "Del",
    "insert": "Ins",
    "tab": "Tab",
    "comma": ",",
    "full_stop": ".",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
}


def key_name(key: str) -> str:
    """A key as it is written on a keyboard."""
    if key in _NAMES:
        return _NAMES[key]
    if key.startswith("f") and key[1:].isdigit():
        return key.upper()
    return key.replace("ctrl+", "Ctrl-")


def action(action_id: str) -> Action:
    """The action with this id."""
    return _BY_ID[action_id]


def actions_of(scope: str) -> list[Action]:
    """The actions of a scope, in the order of the table."""
    return [item for item in ACTIONS if item.scope == scope]


def scopes_together(screen: str) -> tuple[str, ...]:
    """The scopes whose keys are live at the same time on a screen."""
    if screen in _ALONE:
        return {"export": ("export", "list", "form"), "sound": ("sound", "list")}.get(screen, (screen,))
    extra: tuple[str, ...] = ("form",) if screen in FORMS else ()
    if screen in WITH_SAMPLES:
        extra += ("samples",)
    return (screen, "app", *(("list",) if screen in LISTS or screen in FORMS else ()), *extra)


def bindings_of(*scopes: str) -> list[BindingType]:
    """Textual's bindings of scopes; `App.set_keymap` puts the person's own keys over them by id."""
    return [
        Binding(
            ",".join(item.keys),
            item.call,
            item.short,
            id=item.id,
            show=False,
            priority=item.id == "app.palette",
        )
        for scope in scopes
        for item in actions_of(scope)
    ]


class Keys:
    """The keys in force: those of the table, with the person's own over them.

    Raises `CallError` for an action that does not exist and for two actions on one key.
    """

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        own = own or {}
        for name in own:
            if name not in _BY_ID:
                close = difflib.get_close_matches(name, _BY_ID, n=1)
                raise CallError(
                    translate("interface.keys names an unknown action: {name}.").format(name=name),
                    translate("Did you mean {name}?").format(name=close[0])
                    if close
                    else translate("F1 in the app lists the actions; their names are in the README."),
                )
        self._keys = {
            item.id: _parse(own[item.id], item.id) if item.id in own else item.keys for item in ACTIONS
        }
        self.keymap = {name: ",".join(self._keys[name]) for name in own}
        """What `App.set_keymap` takes."""
        self._check_clashes()

    def of(self, action_id: str) -> tuple[str, ...]:
        """The keys of an action, the main one first."""
        return self._keys[action_id]

    def name(self, action_id: str) -> str:
        """The main key of an action as it is written on a keyboard."""
        return key_name(self._keys[action_id][0])

    def names(self, action_id: str) -> str:
        """All keys of an action."""
        return " ".join(key_name(key) for key in self._keys[action_id])

    def action_for(self, scope: str, key: str) -> Action | None:
        """The action of a scope that a key stands for."""
        return next((item for item in actions_of(scope) if key in self._keys[item.id]), None)

    def _check_clashes(self) -> None:
        for screen in (*SCREENS, *_ALONE):
            taken: dict[str, str] = {}
            for item in (item for scope in scopes_together(screen) for item in actions_of(scope)):
                for key in self._keys[item.id]:
                    if key in taken and not _shadows(taken[key], item.id):
                        raise CallError(
                            translate("The key {key} stands for two actions: {first} and {second}.").format(
                                key=key, first=taken[key], second=item.id
                            ),
                            translate("Give one of them another key in interface.keys."),
                        )
                    taken[key] = item.id


def _shadows(first: str, second: str) -> bool:
    """Whether one of the two is only live where the other is not: a focused form beside a list's keys, or
    the list of samples, which has its keys for itself while it has the focus."""
    scopes = {first.partition(".")[0], second.partition(".")[0]}
    return scopes == {"form", "list"} or "samples" in scopes


def _parse(keys: str, name: str) -> tuple[str, ...]:
    parsed = tuple(key.strip() for key in keys.split(",") if key.strip())
    if not parsed:
        raise CallError(
            translate("interface.keys leaves {name} without a key.").format(name=name),
            translate('Name a key, such as "a", "enter" or "f5", or leave the line out.'),
        )
    return parsed
