"""MusicGen: models, tokens, fine-tuning and generation."""
