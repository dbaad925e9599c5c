"""The warm engine: one process of the user that keeps a model loaded, for the app and the command line."""
