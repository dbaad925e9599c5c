"""The app: its pages, its language, its errors. Everything it does goes through the bridge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

import msgspec
from textual import events, on
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from assistant.config import Settings
from assistant.i18n import _, language, set_language
from tui.actions import PALETTE_KEY, Keys, bindings_of
from tui.garbage import GarbageCollector
from tui.messages import (
    Failed,
    IntakeChanged,
    LibraryMade,
    RunAsked,
    RunStarted,
    SettingsSaved,
    SnapshotRead,
    TakesNews,
)
from tui.notices import ended_runs
from tui.pages import PAGES
from tui.palette import ActionCommands, Palette
from tui.screens.page import Page
from tui.speech import SpeakingApp
from tui.text import visible
from tui.theme import MUSICHELPER, MUSICHELPER_LIGHT
from tui.widgets.header import Header, home_short

if TYPE_CHECKING:
    from tui.bridge import Bridge
    from tui.snapshot import Snapshot

POLL_SECONDS = 1.0
IDLE_POLLS = 3
"""Without anything going on, or while keys are pressed, the library is read at each third poll."""
PRESSING_SECONDS = 0.4
"""So long after a key the next one may be on its way."""

QUIET_GROUPS = {
    "snapshot", "tracks", "rows", "follow", "queue", "clips", "picture", "loudness", "templates", "marks",
}  # fmt: skip
"""Reads that come again by themselves: their failure is told in the header, not in a dialog."""


class MusicHelperApp(TakesNews, SpeakingApp, inherit_bindings=False):
    """`root` is the folder that was named; it may be no library yet, or nothing (None)."""

    TITLE = "musichelper"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    MODES = PAGES
    DEFAULT_MODE = "home"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of("app"),
        ("ctrl+c", "how_to_leave"),
    ]
    COMMANDS = {lambda: ActionCommands}  # noqa: RUF012
    COMMAND_PALETTE_BINDING = PALETTE_KEY
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (20, "-short"), (32, "-tall")]  # noqa: RUF012

    def __init__(
        self, root: Path | None, settings: Settings, *, config_file: Path | None = None, watch: bool = True
    ) -> None:
        super().__init__()
        self.settings = settings
        self.keys = Keys(settings.interface.keys)
        self.root = root
        self.config_file = config_file
        self.bridge: Bridge | None = None
        self.snapshot: Snapshot | None = None
        self.trouble = ""
        self.pages: WeakSet[Page] = WeakSet()
        self._watch_library = watch
        self.garbage = GarbageCollector()
        self._polls = 0
        self._wanted_snapshot = False
        self._last_key = 0.0
        self._wanted_run: str | None = None
        self.with_terminal: Callable[[], None] | None = None
        """Called once the terminal has been taken."""
        self.wanted_model: str | None = None
        """A model to generate with, for the page that is gone to next."""
        self.register_theme(MUSICHELPER)
        self.register_theme(MUSICHELPER_LIGHT)
        name = settings.interface.theme
        self.begin_with_theme(name if name in self.available_themes else MUSICHELPER.name)

    # Beginning and end

    def on_mount(self) -> None:
        if self.with_terminal is not None:
            self.with_terminal()
        self.set_keymap(self.keys.keymap)
        self.set_interval(POLL_SECONDS, self._poll)
        if self.theme != self.settings.interface.theme:
            words = _("There is no theme {name}; the settings page lists those there are.")
            self.say(words.format(name=visible(self.settings.interface.theme)), seconds=8)
        if is_library(self.root):
            # The first screen is painted before anything else is imported.
            self.call_after_refresh(self._open_library)
        else:
            from tui.screens.welcome import WelcomeScreen

            self.push_screen(WelcomeScreen())

    def _open_library(self) -> None:
        from tui.bridge import Bridge

        assert self.root is not None
        self.bridge = Bridge(self, self.root, self.settings, self.config_file, garbage=self.garbage)
        if self._watch_library:
            self.bridge.feed.start()
        self.bridge.read_snapshot(self)

    @on(LibraryMade)
    def _library_made(self, event: LibraryMade) -> None:
        if self.bridge is not None:
            self.bridge.close()
        self.root = event.root
        self._open_library()
        if not isinstance(self.screen, Page):
            self.pop_screen()

    def on_unmount(self) -> None:
        if self.bridge is not None:
            self.bridge.close()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self._last_key = time.monotonic()
        await super().on_event(event)

    # What goes on

    def _poll(self) -> None:
        bridge = self.bridge
        self.garbage.poll(time.monotonic() - self._last_key)
        if bridge is None or not self.is_running:
            return
        self._polls += 1
        snapshot = self.snapshot
        if snapshot is None or snapshot.live_runs or snapshot.coming or self._polls >= IDLE_POLLS:
            self.read_soon()
        pressing = time.monotonic() - self._last_key < PRESSING_SECONDS
        if self._wanted_snapshot and (not pressing or self._polls >= IDLE_POLLS):
            self._wanted_snapshot, self._polls = False, 0
            bridge.read_snapshot(self)
        problem = bridge.listening.new_problem()
        if problem:
            self.say(visible(problem), seconds=8)
        if isinstance(self.screen, Page) and self.screen.filled:
            self.screen.poll()

    def read_soon(self) -> None:
        """Read the library in the next pause between keys, which that would hold up."""
        self._wanted_snapshot = True

    @on(SnapshotRead)
    def _snapshot_read(self, event: SnapshotRead) -> None:
        if self.trouble:
            self.trouble = ""
            self._refresh_headers()
        if self.bridge is not None:
            self.bridge.feed.learn(event.snapshot.watch)
        if event.snapshot == self.snapshot:
            return
        if self.snapshot is not None:
            self.tell_ends(ended_runs(self.snapshot.runs, event.snapshot.runs))
        self.snapshot = event.snapshot
        self._refresh_headers()
        if isinstance(self.screen, Page):
            self.screen.take_snapshot()

    @on(IntakeChanged)
    def _intake_changed(self) -> None:
        self._refresh_headers()
        self.read_soon()

    @on(RunStarted)
    def _run_started(self, event: RunStarted) -> None:
        self._wanted_run = event.run.id
        self.notify(
            _("Run {name} goes on by itself, also when you leave.").format(name=event.run.name), markup=False
        )
        if self.current_mode != "train":
            self.action_go("train")
        elif isinstance(self.screen, Page) and self.screen.filled:
            self.screen.arrive()
        self._poll()

    @on(RunAsked)
    def _run_asked(self, event: RunAsked) -> None:
        words = {
            "stop": _("The run saves itself and stops."),
            "save": _("The run writes a checkpoint."),
            "pause": _("The run pauses after this step."),
            "resume": _("The run goes on."),
        }
        self.notify(words[event.word], markup=False, timeout=3)
        self._poll()

    def take_wanted_run(self) -> str | None:
        """The run that was just started, once."""
        wanted, self._wanted_run = self._wanted_run, None
        return wanted

    # Errors

    @on(Failed)
    def _failed(self, event: Failed) -> None:
        if event.group in QUIET_GROUPS:
            self.trouble = event.title
            self._refresh_headers()
            return
        self.show_error(event.title, event.hint, event.detail)

    # Actions

    def action_go(self, name: str) -> None:
        if self.bridge is None or not isinstance(self.screen, Page):
            return
        if self.current_mode != name:
            self.switch_mode(name)
            self._refresh_headers()

    async def action_back(self) -> None:
        self.action_go("home")

    def action_help(self) -> None:
        if isinstance(self.screen, Page):
            from tui.screens.help import HelpScreen, focused_of

            self.push_screen(HelpScreen(self.screen.SCOPE, focused_of(self.screen.focused)))

    def action_sound(self) -> None:
        from tui.screens.sound import SoundScreen

        if self.bridge is not None and isinstance(self.screen, Page):
            self.push_screen(SoundScreen())

    def action_leave(self) -> None:
        if self.bridge is None or not self.bridge.engine.busy:
            self.exit()
            return
        from tui.screens.dialog import ConfirmDialog

        self.push_screen(
            ConfirmDialog(_("A clip is being generated. Leave all the same?"), _("It will not be finished.")),
            lambda yes: self.exit() if yes else None,
        )

    def action_how_to_leave(self) -> None:
        self.say(_("{key} leaves the app.").format(key=self.keys.name("app.quit")))

    def action_command_palette(self) -> None:
        if isinstance(self.screen, Page):
            self.push_screen(Palette())

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return ()

    # Language and settings

    def change_language(self, code: str) -> None:
        """Speak another language from now on, on all pages."""
        set_language(code)
        if self.bridge is not None:
            self.bridge.feed.begin_again()
        for page in list(self.pages):
            page.call_later(page.translate)

    @property
    def language(self) -> str:
        """The language in use."""
        return language()

    def change_interface(self, **values: Any) -> None:
        """Keep changed settings of the interface for the rest of this session."""
        interface = msgspec.structs.replace(self.settings.interface, **values)
        self.settings = msgspec.structs.replace(self.settings, interface=interface)

    def change_notices(self, **values: Any) -> None:
        """Keep changed settings of notifications for the rest of this session."""
        notify = msgspec.structs.replace(self.settings.notify, **values)
        self.settings = msgspec.structs.replace(self.settings, notify=notify)

    @on(SettingsSaved)
    def _settings_saved(self, event: SettingsSaved) -> None:
        self.say(_("Saved in {path}.").format(path=home_short(event.path)))

    def _refresh_headers(self) -> None:
        for header in self.screen.query(Header):
            header.redraw()


def is_library(root: Path | None) -> bool:
    """Whether the folder has been made a library."""
    from assistant.library.library import LibraryPaths

    return root is not None and LibraryPaths(root).state.is_dir()
