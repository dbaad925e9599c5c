"""A composed piece, and how it becomes a MIDI file."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.symbolic.midi import TICKS_PER_BEAT, MidiFile, Track


@dataclass(frozen=True, slots=True)
class Piece:
    """A short piece of music. Ticks are `TICKS_PER_BEAT` to the quarter note; `key` is the tonic's name."""

    genre: str
    title: str
    tempo: float
    key: str
    mode: str
    fifths: int
    time_signature: tuple[int, int]
    tracks: tuple[Track, ...]
    sections: tuple[tuple[int, str], ...]
    length: int
    tempo_changes: tuple[tuple[int, float], ...] = ()

    def to_midi(self) -> MidiFile:
        """The piece as the contents of a MIDI file."""
        return MidiFile(
            tracks=self.tracks,
            tempos=((0, self.tempo), *self.tempo_changes),
            time_signatures=((0, *self.time_signature),),
            key_signatures=((0, self.fifths, self.mode == "minor"),),
            markers=self.sections,
            title=self.title,
            texts=(self.genre,),
            ticks_per_beat=TICKS_PER_BEAT,
        )

    @property
    def seconds(self) -> float:
        """How long the piece lasts, with the last chord's time to ring."""
        return self.to_midi().seconds(self.length)
