"""Home: what is in the folder, what is happening, and what to do next as one key."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content

from assistant.i18n import _, ngettext
from tui.home_lines import now_lines
from tui.next_step import Step, next_step
from tui.screens.page import Page, page_bindings
from tui.snapshot import GenreCount, Snapshot
from tui.text import bar, len_cells, pad, span, visible
from tui.vocabulary import status
from tui.widgets.drawn import Drawn
from tui.widgets.header import home_short
from tui.widgets.prose import Passage, Prose

AGE_POLLS = 30
"""So often the page says anew how long ago something was."""


class HomeScreen(Page):
    """Three boxes: the folder, what goes on, the next step."""

    SCOPE = "home"
    BINDINGS = page_bindings("home")

    def __init__(self) -> None:
        super().__init__()
        self._step: Step | None = None
        self._polls = 0

    def body(self) -> ComposeResult:
        with Container(id="home"):
            yield Drawn(self._folder, id="home-folder", classes="box")
            with Vertical(id="home-right"):
                yield Prose(id="home-next", classes="box next")
                yield Drawn(self._now, id="home-now", classes="box")

    def fill(self) -> None:
        self.query_one("#home-folder").border_title = _("In the folder")
        self.query_one("#home-now").border_title = _("Now")
        self.query_one("#home-next").border_title = _("Next step")

    def arrive(self) -> None:
        self.bridge.read_snapshot(self.app)

    def poll(self) -> None:
        self._polls += 1
        if self._polls % AGE_POLLS == 0:
            self.query_one("#home-now", Drawn).redraw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        for drawn in self.query(Drawn):
            drawn.redraw()
        self._step = next_step(snapshot, home_short(snapshot.root))
        key = self.app.keys.name("home.next")
        self.query_one("#home-next", Prose).show(
            Passage(visible(self._step.sentence), lead=f"{key} ", lead_style="bold $footer-key-foreground")
        )

    def _folder(self, width: int) -> Content:
        snapshot = self.app.snapshot
        if snapshot is None:
            return Content.styled(_("Reading the folder…"), "$dim")
        genres = [*snapshot.genres, snapshot.unlabelled]
        most = max((genre.tracks for genre in genres), default=0) or 1
        # The screen has room for so many lines; the smallest genres are added up.
        room = max(6, self.size.height - 10)
        shown = genres
        rest: list[GenreCount] = []
        if len(genres) > room:
            ranked = sorted(snapshot.genres, key=lambda genre: -genre.tracks)
            rest = ranked[room - 2 :]
            shown = [genre for genre in genres if genre not in rest]
        name = min(
            max((len_cells(visible(genre.name)) for genre in shown), default=8) + 1, max(8, width // 3)
        )
        lines = [self._genre(genre, name, width, most, genre is snapshot.unlabelled) for genre in shown]
        if rest:
            words = ngettext("and {count} more genre", "and {count} more genres", len(rest)).format(
                count=len(rest)
            )
            lines.append(Content.styled(words, "$dim"))
        tracks = ngettext("{count} track", "{count} tracks", snapshot.tracks).format(count=snapshot.tracks)
        total = [tracks, _("{time} ready").format(time=span(snapshot.seconds))]
        if snapshot.clips:
            total.append(
                ngettext("{count} clip", "{count} clips", snapshot.clips).format(count=snapshot.clips)
            )
        states = [
            Content.styled(f"{status(state).mark} {number} {status(state).word}", status(state).style)
            for state in ("waiting", "working", "failed", "missing")
            if (number := snapshot.by_state.get(state, 0))
        ]
        lines += [Content(""), Content(" · ".join(total))]
        if states:
            lines.append(Content("  ").join(states))
        return Content("\n").join(lines)

    def _genre(self, genre: GenreCount, name: int, width: int, most: int, unlabelled: bool) -> Content:
        room = max(4, width - name - 15)
        style = "$warning" if unlabelled else "$primary"
        return Content.assemble(
            (pad(visible(genre.name), name), "" if genre.tracks else "$faint"),
            (pad(str(genre.tracks), 5, right=True), "" if genre.tracks else "$faint"),
            " ",
            (pad(bar(genre.tracks / most, room), room), style),
            (pad(span(genre.seconds) if genre.seconds else "", 8, right=True), "$dim"),
        )

    def _now(self, width: int) -> Content:
        snapshot = self.app.snapshot
        if snapshot is None:
            return Content("")
        height = self.query_one("#home-now").content_size.height
        return now_lines(snapshot, self.bridge.feed, width, height)

    def action_next(self) -> None:
        if self._step is None:
            return
        if self._step.go == "classifier":
            self.action_classifier()
        else:
            self.app.action_go(self._step.go)

    def action_classifier(self) -> None:
        self.bridge.start_classifier(self.app)
