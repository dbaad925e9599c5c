"""Music as events: MIDI files, and short pieces composed by rules."""
