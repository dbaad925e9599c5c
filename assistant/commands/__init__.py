"""The commands of `musichelper`, one file a subject; each adds itself to the parser."""
