"""One file, one rule, nothing else in here."""
