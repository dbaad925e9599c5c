"""Benchmarks: scripts that measure ours beside a control and print a table. Not run by pytest."""
