"""The lines of the labelling page, from the session as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from assistant.i18n import _, ngettext
from assistant.label.views import view_name
from tui.actions import DIGITS, Keys
from tui.labelling import OPEN, LabelSession
from tui.text import bar, clock, fit, fit_middle, len_cells, pad, span, visible
from tui.vocabulary import status

if TYPE_CHECKING:
    from assistant.label.queue import QueueItem
    from tui.messages import WhyRead

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
        self.today = 0
        """Labels given since midnight."""
        self.playing: float | None = None
        """Seconds into the track where it is being heard."""
        self.cue = 0.0
        """Where playing begins."""
        self.why: WhyRead | None = None
        """What speaks for the proposal, where that was asked for."""

    def name(self, width: int) -> Content:
        """The name of the file, and what was decided about it."""
        item = self.session.current
        if item is None:
            if not self.read:
                return Content("")
            if self.session.view != "waiting":
                return Content.styled(_("Nothing is left here."), "bold")
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
        facts = "  ".join(part for part in (self._clock(track.duration), who, folder) if part)
        if self.session.view == "contradicted" and item.proposal is not None:
            words = _("in {genre}, sounds like {other}").format(
                genre=visible(item.proposal.top[1][0]), other=visible(item.proposal.genre)
            )
            warning = fit(words, width)
            rest = fit(facts, max(0, width - len_cells(warning) - 2))
            return Content.assemble((warning, "$warning"), "  ", (rest, "$dim"))
        if item.proposal is not None and item.proposal.none_of_these:
            warning = fit(_("perhaps none of these"), width)
            rest = fit(facts, max(0, width - len_cells(warning) - 2))
            return Content.assemble((warning, "$warning"), "  ", (rest, "$dim"))
        return Content.styled(fit(facts, width), "$dim")

    def _clock(self, duration: float | None) -> str:
        if self.playing is not None:
            return f"▶ {clock(self.playing)} / {clock(duration)}"
        return f"{clock(self.cue)} / {clock(duration)}" if self.cue else clock(duration)

    def segments(self, width: int) -> Content:
        """Below the waveform: the digit of the genre that is heard in each part of the track."""
        item, why = self.session.current, self.why
        if item is None or why is None or why.track != item.track.id or not why.segments:
            return Content("")
        duration = item.track.duration or 1.0
        top = self.top(item)
        marked = top[self.choice][0] if self.choice < len(top) else ""
        pieces = []
        for place, segment in enumerate(why.segments):
            end = why.segments[place + 1].start if place + 1 < len(why.segments) else duration
            first = round(segment.start / duration * width)
            last = round(min(end, duration) / duration * width)
            sign = self.digit_of(segment.genre).strip() or visible(segment.genre)[:1]
            style = "$accent" if segment.genre == marked else "$dim"
            pieces.append(((sign + "·" * width)[: max(0, last - first)], style))
        return Content.assemble(*pieces).truncate(width)

    def reasons(self, width: int) -> Content:
        """The confirmed tracks that sound most like this one, and how much of it agrees."""
        item, why = self.session.current, self.why
        if item is None or why is None or why.track != item.track.id:
            return Content.styled(_("Listening…"), "$dim")
        lines = []
        proposal = item.proposal
        if proposal is not None and proposal.agreement is not None:
            words = _("{share:.0%} of its parts say {genre}").format(
                share=proposal.agreement, genre=visible(proposal.genre)
            )
            likely = [visible(genre) for genre, _chance in proposal.top[: proposal.likely or 0]]
            if len(likely) > 1:
                words += " · " + _("possible: {genres}").format(genres=", ".join(likely))
            lines.append(Content.styled(fit(words, width), "$dim"))
        for one in why.neighbours:
            genre = pad(visible(one.genre), min(12, width // 4))
            room = max(8, width - len_cells(genre) - 8)
            lines.append(
                Content.assemble(
                    (f"{max(0.0, one.likeness):>4.0%} ", "$primary"),
                    (genre, ""),
                    " ",
                    (fit_middle(visible(one.path.name), room), "$dim"),
                )
            )
        if not why.neighbours:
            words = why.problem or _("No confirmed track has been heard by this classifier yet.")
            lines.append(Content.styled(fit(visible(words), width), "$dim"))
        return Content("\n").join(lines)

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

    def words(self, width: int) -> Content:
        """What happened last; where in the queue this is."""
        if not self.read:
            return Content("")
        session = self.session
        place = min(session.index + 1, len(session.items))
        parts = [
            _("{place} of {total}").format(place=place, total=len(session.items)),
            _("{count} labelled").format(count=session.labelled),
        ]
        pace, left = session.pace(), session.left
        if pace:
            parts.append(_("{rate:.0f} a minute").format(rate=60 / max(pace, 0.01)))
        if pace and left:
            parts.append(_("{time} left").format(time=span(pace * left)))
        if self.today > session.labelled:
            parts.append(_("{count} today").format(count=self.today))
        if self.kept[1]:
            parts.append(_("{share:.0%} kept").format(share=self.kept[0] / self.kept[1]))
        word = Content.styled(self.word, "bold")
        if self.new:
            words = ngettext("{count} new", "{count} new", self.new).format(count=self.new)
            gap = "  " if self.word else ""
            word = Content.assemble(word, gap, (f"{self._keys.name('label.reload')} {words}", "$accent"))
        while len(parts) > 1 and len_cells(" · ".join(parts)) > width:
            parts.pop()
        return Content.assemble(word, "\n", (" · ".join(parts), "$dim"))

    def title(self) -> str:
        """Over the queue: which one it is, and its order."""
        if self.session.view != "waiting":
            return view_name(self.session.view)
        return {
            "margin": _("closest first"),
            "confident": _("surest first"),
            "newest": _("newest first"),
            "folder": _("by folder"),
        }[self.session.order]

    def queue_line(self, item: QueueItem, width: int) -> Content:
        """A line of the queue."""
        action, genre = self.session.decided.get(item.track.id, (OPEN, None))
        shown = status(action)
        right = genre or ""
        if action == OPEN and item.proposal:
            right = f"{item.proposal.probability:.0%}"
        right = fit(visible(right), 9)
        room = max(4, width - len_cells(right) - 4)
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
