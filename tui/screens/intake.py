"""Intake: files as they come in, and why some did not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.i18n import _, ngettext
from assistant.intake.account import watch_warning, watch_words
from tui.messages import Failed, PagesRead, Retried, TracksRead
from tui.screens.page import Page, page_bindings
from tui.text import ago, clock, fit, fit_middle, pad, size, visible
from tui.track_pages import Sight, TrackPages, TrackRow
from tui.vocabulary import status
from tui.widgets.header import home_short
from tui.widgets.prose import Passage, Prose
from tui.widgets.rows import RowList

if TYPE_CHECKING:
    from assistant.library.ledger import Track
    from tui.snapshot import Snapshot


class IntakeScreen(Page):
    """A line on the watcher, and all tracks, the last changed first."""

    SCOPE = "intake"
    BINDINGS = page_bindings("intake")

    def __init__(self) -> None:
        super().__init__()
        self._tracks = TrackPages()
        self._failed_only = False
        self._read = False
        self._reading = False
        self._stale = False
        """Something has changed while the tracks were being read."""
        self._watch_length = 0

    def body(self) -> ComposeResult:
        yield Static(id="intake-watch")
        with Vertical(id="intake-box", classes="box"):
            yield RowList(
                self._line, key=lambda row: row.number, empty=self._empty, ages=True, id="intake-rows"
            )
        yield Prose(id="intake-reason")

    def fill(self) -> None:
        self._title()
        rows = self.query_one("#intake-rows", RowList)
        rows.show(self._tracks)
        rows.focus()
        self._reason()

    def arrive(self) -> None:
        self._read_anew()
        self._watch_line()

    def poll(self) -> None:
        self._watch_line()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.arrive()

    @on(PagesRead)
    def _pages_read(self, event: PagesRead) -> None:
        self._reading = False
        if event.failed == self._failed_only:
            self._read = True
            self._tracks = event.pages
            self.query_one("#intake-rows", RowList).show(self._tracks)
            self._read_more()
            self._reason()
        if self._stale:
            self._read_anew()

    @on(TracksRead)
    def _tracks_read(self, event: TracksRead) -> None:
        self._tracks.add(event.tracks)
        self.query_one("#intake-rows", RowList).refresh()
        if event.tracks:  # none where all of them are gone
            self._read_more()
        self._reason()

    @on(RowList.Scrolled)
    def _read_more(self) -> None:
        missing = self._tracks.missing(self._sight)
        if missing:
            self.bridge.read_tracks(self, missing)

    @on(Failed)
    def _failed(self, event: Failed) -> None:
        """The app tells it."""
        if event.group == "tracks":
            self._reading = False

    def _read_anew(self) -> None:
        self._stale = self._reading
        if self._reading:
            return
        self._reading = True
        self.bridge.read_pages(self, failed=self._failed_only, sight=self._sight)

    @property
    def _sight(self) -> Sight:
        rows: RowList[TrackRow] = self.query_one("#intake-rows", RowList)
        marked = None if rows.current is None else rows.current.number
        return Sight(rows.scroll_offset.y, max(1, rows.size.height), marked)

    @on(RowList.Moved)
    def _moved(self) -> None:
        self._reason()

    # Keys

    def action_failures(self) -> None:
        self._failed_only = not self._failed_only
        self._title()
        self._read_anew()

    def action_open(self) -> None:
        track = self._current
        if track is None:
            return
        facts = [
            (_("state"), status(track.state).word),
            (_("reason"), track.reason),
            (_("length"), clock(track.duration) if track.duration is not None else ""),
            (_("size"), size(track.size)),
            (_("artist"), track.artist),
            (_("title"), track.title),
            (_("album"), track.album),
            (_("attempts"), str(track.attempts) if track.attempts else ""),
            (
                _("again at"),
                time.strftime("%H:%M:%S", time.localtime(track.retry_at)) if track.retry_at else "",
            ),
            ("WAV", str(track.wav or "")),
            (_("caption"), str(track.caption or "")),
        ]
        text = "\n".join(f"{pad(name, 12)}{visible(value)}" for name, value in facts if value)
        path = home_short(self.bridge.root / track.path)
        self.app.show_text(path, text, hint=track.hint)

    def action_play(self) -> None:
        track = self._current
        if track is not None and track.state == "ready":
            self.bridge.listening.toggle(self.bridge.root / (track.wav or track.path))
        else:
            self.app.say(_("It can be played when it is ready."))

    def action_retry(self) -> None:
        if self._current is not None:
            self.bridge.retry(self, self._current.path)

    def action_retry_all(self) -> None:
        self.bridge.retry(self, None)

    @on(Retried)
    def _retried(self, event: Retried) -> None:
        words = ngettext("{count} file is tried again.", "{count} files are tried again.", event.count)
        self.app.say(words.format(count=event.count))
        self.arrive()

    # Painting

    @property
    def _current(self) -> Track | None:
        row: TrackRow | None = self.query_one("#intake-rows", RowList).current
        return row.track if row else None

    def _title(self) -> None:
        title = _("Failed only") if self._failed_only else _("Last changed first")
        self.query_one("#intake-box").border_title = title

    def _watch_line(self) -> None:
        feed = self.bridge.feed
        parts = [status(feed.state).content()]
        if feed.state in ("elsewhere", "unwatched", "paused") and feed.problem[0]:
            parts.append(Content.styled(visible(" ".join(feed.problem)), "$dim"))
        snapshot = self.app.snapshot
        if snapshot is not None:
            for state in ("waiting", "working", "ready", "failed"):
                shown = status(state)
                number = snapshot.by_state.get(state, 0)
                if number or state == "ready":
                    parts.append(Content.styled(f"{shown.mark} {number} {shown.word}", shown.style))
        if feed.working:
            parts.append(Content.styled(fit_middle(visible(feed.working), 30), "$dim"))
        lines = [Content("  ").join(parts)]
        if snapshot is not None:
            warning = watch_warning(snapshot.watch)
            words = " · ".join(watch_words(snapshot.watch))
            style = "$text-warning" if warning else "$dim"
            lines.append(Content.styled(fit(visible(warning or words), 3 * (self.size.width - 2)), style))
        content = Content("\n").join(lines)
        layout = len(content) != self._watch_length  # a warning takes more lines
        self._watch_length = len(content)
        self.query_one("#intake-watch", Static).update(content, layout=layout)

    def _reason(self) -> None:
        track = self._current
        text = ""
        if track is not None and track.state in ("failed", "waiting"):
            text = f"{visible(track.reason)} {visible(track.hint)}".strip()
        self.query_one("#intake-reason", Prose).show(Passage(text, "$text-error"))

    def _line(self, row: TrackRow, width: int) -> Content:
        track = row.track
        if track is None:
            return Content.styled(" …", "$dim")
        shown = status(track.state)
        state = pad(shown.word, 9)
        when = pad(ago(track.changed, time.time()), 12, right=True)
        failed = track.state == "failed"
        middle = "" if failed else pad(clock(track.duration) if track.duration else "", 8, right=True)
        room = max(10, width - 26 - len(middle))
        name = visible(track.path)
        if failed:
            half = max(10, room // 2)
            name = pad(fit_middle(name, half - 1), half)
            reason = pad(fit(visible(track.reason), room - half), room - half)
            return Content.assemble(
                " ",
                (f"{shown.mark} {state}", shown.style),
                " ",
                name,
                (reason, "$text-error"),
                (when, "$dim"),
            )
        return Content.assemble(
            " ",
            (f"{shown.mark} {state}", shown.style),
            " ",
            pad(fit_middle(name, room), room),
            (middle + when, "$dim"),
        )

    def _empty(self) -> str:
        if not self._read:
            return _("Reading…")
        if self._failed_only:
            return _("Nothing failed.")
        return _("No file yet. Copy music into {folder}.").format(folder=home_short(self.bridge.root))
