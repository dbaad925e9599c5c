"""The lines of the labelling page, from the session as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from assistant.i18n import _, ngettext
from tui.actions import DIGITS, Keys
from tui.labelling import OPEN, LabelSession
from tui.text import bar, clock, fit, fit_middle, len_cells, pad, span, visible
from tui.vocabulary import status

if TYPE_CHECKING:
    from assistant.label.queue import QueueItem

PROPOSALS_SHOWN = 3
DIGITS_IN_ROW = 5


class LabelLines:
    """Draws; changes nothing."""

    def __init__(self, session: LabelSession, keys: Keys, unlabelled: str) -> None:
        self.session = session
        self._keys = keys
        self._unlabelled = unlabelled
        self.read = False
        """Whether the queue has been read."""
        self.choice = 0
        """The marked proposal."""
        self.word = ""
        """What happened last."""
        self.new = 0
        """Tracks that wait and are not in the session."""
        self.kept = (0, 0)
        """Proposals that the person kept, of those decided on."""

    def name(self, width: int) -> Content:
        """The name of the file, and what was decided about it."""
        item = self.session.current
        if item is None:
            if not self.read:
                return Content("")
            text = _("All tracks have a genre.") if self.session.items else _("No track waits for a genre.")
            return Content.styled(text, "bold")
        state = self.session.state(item.track.id)
        title = Content.styled(fit_middle(visible(item.track.path.name), width - 14), "bold")
        if state == OPEN:
            return title
        genre = self.session.decided[item.track.id][1]
        shown = status(state)
        return Content.assemble(title, "  ", (f"{shown.mark} {visible(genre or shown.word)}", shown.style))

    def facts(self, width: int) -> Content:
        """Length, artist, title, folder."""
        item = self.session.current
        if item is None:
            folder = self._unlabelled
            words = _("Tracks in {folder} come here.").format(folder=folder) if self.read else ""
            return Content.styled(words, "$dim")
        track = item.track
        who = " – ".join(visible(part) for part in (track.artist, track.title) if part)
        folder = visible(track.path.parent) if str(track.path.parent) != "." else ""
        facts = "  ".join(part for part in (clock(track.duration), who, folder) if part)
        if item.proposal is not None and item.proposal.none_of_these:
            warning = fit(_("perhaps none of these"), width)
            rest = fit(facts, max(0, width - len_cells(warning) - 2))
            return Content.assemble((warning, "$warning"), "  ", (rest, "$dim"))
        return Content.styled(fit(facts, width), "$dim")

    def proposals(self, width: int) -> Content:
        """The likeliest genres with their bars; the marked one is what accepting means."""
        item = self.session.current
        top = self.top(item)
        if item is None:
            return Content("")
        if not top:
            words = _("No proposal yet. {key} chooses any genre.").format(key=self._keys.name("label.genre"))
            return Content.styled(words, "$dim")
        name = min(max(len_cells(visible(genre)) for genre, _chance in top) + 2, width // 2)
        room = max(6, width - name - 11)
        lines = []
        for place, (genre, chance) in enumerate(top):
            here = place == self.choice
            lines.append(
                Content.assemble(
                    ("▸ " if here else "  ", "$accent"),
                    (pad(self.digit_of(genre), 2), "$footer-key-foreground"),
                    (pad(visible(genre), name), "bold" if here else ""),
                    (pad(bar(chance, room), room), "$accent" if here else "$primary"),
                    f" {chance:>4.0%}",
                )
            )
        return Content("\n").join(lines)

    def digits(self, width: int) -> Content:
        """The genres that have digits."""
        genres = self.session.genres[: len(DIGITS)]
        rows = [genres[first : first + DIGITS_IN_ROW] for first in range(0, len(genres), DIGITS_IN_ROW)]
        if not rows:
            return Content("")
        names = [
            max(len_cells(visible(row[place])) for row in rows if place < len(row))
            for place in range(len(rows[0]))
        ]
        gap = "  " if sum(names) + 4 * len(names) - 2 <= width else " "
        lines = []
        for row in rows:
            cells = [
                Content.assemble(
                    (self.digit_of(genre), "$footer-key-foreground"), " ", pad(visible(genre), size)
                )
                for genre, size in zip(row, names, strict=False)
            ]
            lines.append(Content(gap).join(cells))
        return Content("\n").join(lines)

    def words(self, _width: int) -> Content:
        """What happened last; where in the queue this is."""
        if not self.read:
            return Content("")
        session = self.session
        done = sum(action == "label" for action, _genre in session.decided.values())
        left = len(session.open)
        place = min(session.index + 1, len(session.items))
        parts = [
            _("{place} of {total}").format(place=place, total=len(session.items)),
            _("{count} labelled").format(count=done),
            {
                "margin": _("closest first"),
                "confident": _("surest first"),
                "newest": _("newest first"),
                "folder": _("by folder"),
            }[session.order],
        ]
        if self.kept[1]:
            parts.append(_("{share:.0%} kept").format(share=self.kept[0] / self.kept[1]))
        pace = session.pace()
        if pace and left:
            parts.append(_("{time} left").format(time=span(pace * left)))
        word = Content.styled(self.word, "bold")
        if self.new:
            words = ngettext("{count} new", "{count} new", self.new).format(count=self.new)
            gap = "  " if self.word else ""
            word = Content.assemble(word, gap, (f"{self._keys.name('label.reload')} {words}", "$accent"))
        return Content.assemble(word, "\n", (" · ".join(parts), "$dim"))

    def queue_line(self, item: QueueItem, width: int) -> Content:
        """A line of the queue."""
        action, genre = self.session.decided.get(item.track.id, (OPEN, None))
        shown = status(action)
        right = genre or ""
        if action == OPEN and item.proposal:
            right = f"{item.proposal.probability:.0%}"
        right = fit(visible(right), 9)
        room = max(4, width - len(right) - 4)
        return Content.assemble(
            (f"{shown.mark} ", shown.style),
            (
                pad(fit_middle(visible(item.track.path.name), room), room),
                "" if action == OPEN else "$dim",
            ),
            (f" {right}", "$dim"),
        )

    def top(self, item: QueueItem | None) -> list[tuple[str, float]]:
        """The proposals that are shown."""
        return item.proposal.top[:PROPOSALS_SHOWN] if item and item.proposal else []

    def digit_of(self, genre: str) -> str:
        """The key that stands for a genre."""
        place = self.session.genres.index(genre) if genre in self.session.genres else len(DIGITS)
        if place >= len(DIGITS):
            return " "
        return self._keys.name(f"label.genre_{DIGITS[place]}")

    def empty(self) -> str:
        """Instead of the queue where it is empty."""
        return _("nothing waits") if self.read else _("reading…")
