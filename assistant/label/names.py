"""Garbled file names, what they were meant to be, and the renaming of those that the person chose."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.audio.mojibake import Mended, find
from assistant.audio.tags import clean
from assistant.i18n import _
from assistant.library.ledger import Track
from assistant.library.library import Library

_LONGEST = 200  # bytes, so that suffixes and numbers still fit


@dataclass(frozen=True)
class GarbledName:
    """A track whose file name was read in the wrong encoding."""

    track: Track
    proposal: str
    """The name without its suffix, as it was meant."""
    mended: Mended

    @property
    def why(self) -> str:
        """What happened to the name, in words."""
        if not self.mended.read_as:
            return _("its bytes are {encoding}, not UTF-8").format(encoding=self.mended.encoding)
        return _("{encoding} that was read as {other}").format(
            encoding=self.mended.encoding, other=self.mended.read_as
        )


def garbled_names(library: Library) -> list[GarbledName]:
    """The tracks with a garbled name that can be mended with certainty, by path."""
    found = []
    for track in library.ledger.tracks():
        if track.state != "missing" and (garbled := garbled_name(track)) is not None:
            found.append(garbled)
    return found


def garbled_name(track: Track) -> GarbledName | None:
    """What the name of a track was meant to be; None where it seems right or nothing is certain."""
    mended = find(track.path.stem)
    if mended is None:
        return None
    proposal = clean(mended.text.replace("/", "-")).lstrip(".~").strip()
    while len(proposal.encode()) > _LONGEST:
        proposal = proposal[:-1].rstrip()
    if not proposal or proposal == track.path.stem:
        return None
    return GarbledName(track, proposal, mended)
