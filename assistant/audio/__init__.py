"""Sound: decoding in a guarded process, WAV, tags, measurements, loudness."""
