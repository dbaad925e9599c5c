"""The person's decisions about genres: the queue, the files they move, undo, export and import."""
