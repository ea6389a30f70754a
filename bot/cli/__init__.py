"""The command line: one file for each of its longer commands."""
