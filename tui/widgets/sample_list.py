"""The clips that a run made on its way, each beside what its base makes of the same prompt and seed."""

from __future__ import annotations

from textual.content import Content
from textual.message import Message

from assistant.i18n import _
from tui.actions import bindings_of
from tui.following import Sample
from tui.text import pad, visible
from tui.widgets.rows import RowList


class SampleList(RowList[Sample], inherit_bindings=False):
    """Newest first; Enter hears one, b its base's."""

    BINDINGS = bindings_of("list", "samples")

    class Wanted(Message):
        """A sample shall be heard: itself (`hear`), its base's (`base`), or both by turns (`both`)."""

        def __init__(self, sample: Sample, how: str) -> None:
            super().__init__()
            self.sample = sample
            self.how = how

    def __init__(self) -> None:
        super().__init__(self._line, key=lambda sample: sample.path, empty=self._none)

    def action_hear(self, how: str) -> None:
        if self.current is not None:
            self.post_message(self.Wanted(self.current, how))

    def _line(self, sample: Sample, width: int) -> Content:
        step = _("before") if not sample.step else _("step {step}").format(step=sample.step)
        cells = 12
        return Content.assemble(
            " ",
            (pad(step, cells), "$accent" if sample.step else "$dim"),
            pad(visible(sample.prompt) or _("anything"), max(6, width - cells - 2)),
        )

    def _none(self) -> str:
        return _("No samples yet. They come every so many steps; the form says how many.")
