"""What we do when something happened; one file, one event."""
