"""Settings, their defaults, and the files an operator edits."""
