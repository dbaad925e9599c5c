"""The music folder: its genres, its tracks, and what is remembered of them."""
