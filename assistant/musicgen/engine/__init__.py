"""The decoding engine: clips from audiocraft's weights, by a step that reads each weight once."""
