"""The first screen for a folder that is no library yet: what would be made, and one key to make it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from assistant.i18n import _, ngettext
from tui.actions import bindings_of
from tui.messages import FoldersFound, MachineSeen, TakesNews
from tui.screens.page import TooSmall
from tui.text import fit_middle, visible
from tui.widgets.header import home_short
from tui.widgets.keybar import KeyBar
from tui.widgets.prose import Passage, Prose
from tui.widgets.rows import RowList

if TYPE_CHECKING:
    from assistant.doctor import Check
    from tui.app import MusicHelperApp

DEFAULT_FOLDER = "Music"
WRONG_SHOWN = 4


class WelcomeScreen(TakesNews, Screen[None], inherit_bindings=False):
    """Offers to make the named folder, a folder with music that was found, or another one a library."""

    BINDINGS = bindings_of("welcome")

    app: MusicHelperApp

    def __init__(self) -> None:
        super().__init__()
        self._found: list[tuple[Path, int]] = []
        self._checks: list[Check] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="welcome"):
            yield Static(Content.styled(_("Welcome to musichelper"), "bold $accent"), id="welcome-title")
            yield Prose(id="welcome-words")
            yield RowList(self._line, key=lambda choice: choice[:2], id="welcome-choices")
            yield Prose(Passage(_("Looking at this machine…"), "$dim"), id="welcome-machine")
        yield KeyBar("welcome", always=("app.quit",))
        yield TooSmall()

    def on_mount(self) -> None:
        from tui.bridge import Bridge

        root = self.app.root
        words = (
            _("No music folder is named, and there is none here.")
            if root is None
            else _("{folder} is not a library yet.").format(folder=home_short(root))
            if root.is_dir()
            else _("{folder} does not exist yet.").format(folder=home_short(root))
        )
        library = self.app.settings.library
        explanation = _(
            "A library is a folder of music with a folder for each genre ({genres}), and {unlabelled} for "
            "what you do not know yet. musichelper writes WAV files and captions beside your files and "
            "keeps its notes in .musichelper. It never changes or deletes a file of yours."
        ).format(genres=", ".join(library.genres), unlabelled=library.unlabelled)
        self.query_one("#welcome-words", Prose).show(
            Passage(words, "bold"), Passage(""), Passage(explanation, "$dim")
        )
        self._show()
        self.query_one(RowList).focus()
        # A bridge without a library: it only looks for folders and makes one.
        self._bridge = Bridge(self.app, root or Path.home(), self.app.settings)
        self._bridge.find_folders(self)
        self._bridge.look_at_machine(self)

    def _show(self) -> None:
        root = self.app.root
        choices: list[tuple[str, Path | None, int]] = []
        first = root if root is not None else Path.home() / DEFAULT_FOLDER / "musichelper"
        choices.append(("make", first, 0))
        choices += [("found", folder, files) for folder, files in self._found if folder != first]
        choices.append(("other", None, 0))
        if self._checks:
            choices.append(("machine", None, 0))
        choices.append(("leave", None, 0))
        rows = self.query_one(RowList)
        rows.show(choices)
        rows.styles.height = len(choices)

    def _line(self, choice: tuple[str, Path | None, int], width: int) -> Content:
        what, folder, files = choice
        if what == "other":
            return Content(" " + _("Another folder…"))
        if what == "machine":
            return Content(" " + _("All that was found about this machine…"))
        if what == "leave":
            return Content(" " + _("Leave"))
        assert folder is not None
        name = fit_middle(home_short(folder), max(20, width - 40))
        if what == "make":
            words = _("Use {folder}") if folder.is_dir() else _("Make {folder}")
            return Content(" " + words.format(folder=name))
        count = ngettext("{count} music file", "{count} music files", files).format(count=files)
        return Content.assemble(" ", _("Use {folder}").format(folder=name), "  ", (count, "$dim"))

    @on(FoldersFound)
    def _folders_found(self, event: FoldersFound) -> None:
        self._found = event.folders
        self._show()

    @on(MachineSeen)
    def _machine_seen(self, event: MachineSeen) -> None:
        self._checks = event.checks
        wrong = [check for check in event.checks if not check.ok]
        wrong.sort(key=lambda check: not check.needed)
        good = len(event.checks) - len(wrong)
        found = ngettext("{count} thing is as it should be.", "{count} things are as they should be.", good)
        passages = [
            Passage(
                visible(f"{check.title}: {check.detail}"),
                lead="× " if check.needed else "! ",
                lead_style="$text-error" if check.needed else "$text-warning",
            )
            for check in wrong[:WRONG_SHOWN]
        ]
        self.query_one("#welcome-machine", Prose).show(
            Passage(_("This machine"), "bold"),
            Passage(found.format(count=good), lead="■ ", lead_style="$text-success"),
            *passages,
        )
        self._show()

    def _show_machine(self) -> None:
        lines = []
        for check in self._checks:
            lines.append(f"{'■' if check.ok else '!'} {check.title}: {check.detail}")
            if check.hint:
                lines.append(f"  {check.hint}")
        self.app.show_text(_("This machine"), "\n".join(lines))

    def action_choose(self) -> None:
        choice = self.query_one(RowList).current
        if choice is None:
            return
        what, folder, _files = choice
        if what == "leave":
            self.app.exit()
        elif what == "machine":
            self._show_machine()
        elif what == "other":
            from tui.screens.ask import AskScreen

            self.app.push_screen(
                AskScreen(
                    _("Which folder?"),
                    help=_("An existing folder of music, or a new one. ~ is your home folder."),
                    check=lambda text: "" if text.strip() else _("Write the path of a folder."),
                ),
                self._make_typed,
            )
        elif folder is not None:
            self._bridge.make_library(self.app, folder)

    def _make_typed(self, text: str | None) -> None:
        if text:
            self._bridge.make_library(self.app, Path(text.strip()).expanduser().absolute())
