"""From a new file in the folder to a ready track."""
