"""The 128 programs of General MIDI in a captioner's words."""

from __future__ import annotations

_WORDS = """
piano|piano|electric piano|honky-tonk piano|electric piano|electric piano|harpsichord|clavinet
celesta|glockenspiel|music box|vibraphone|marimba|xylophone|tubular bells|dulcimer
organ|organ|rock organ|church organ|reed organ|accordion|harmonica|bandoneon
acoustic guitar|acoustic guitar|jazz guitar|electric guitar|muted guitar|overdriven guitar
distorted guitar|guitar harmonics
acoustic bass|electric bass|electric bass|fretless bass|slap bass|slap bass|synth bass|synth bass
violin|viola|cello|double bass|tremolo strings|pizzicato strings|harp|timpani
strings|strings|synth strings|synth strings|choir|voices|synth voice|orchestra hits
trumpet|trombone|tuba|muted trumpet|french horn|brass section|synth brass|synth brass
soprano saxophone|alto saxophone|tenor saxophone|baritone saxophone|oboe|english horn|bassoon|clarinet
piccolo|flute|recorder|pan flute|bottle flute|shakuhachi|whistle|ocarina
synth lead|synth lead|synth lead|synth lead|synth lead|synth lead|synth lead|synth lead
synth pad|synth pad|synth pad|synth pad|synth pad|synth pad|synth pad|synth pad
synth effects|synth effects|synth effects|synth effects
synth effects|synth effects|synth effects|synth effects
sitar|banjo|shamisen|koto|kalimba|bagpipes|fiddle|shehnai
bells|agogo|steel drums|woodblock|taiko drums|tom drums|synth drums|reversed cymbals
sound effects|sound effects|sound effects|sound effects
sound effects|sound effects|sound effects|sound effects
"""

INSTRUMENTS = tuple(word for line in _WORDS.split("\n") if line for word in line.split("|"))
"""Indexed by program number, 0 to 127."""
