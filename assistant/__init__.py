"""From a folder of music to music of one's own: the library behind the app and the command line."""
