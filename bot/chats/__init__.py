"""Where people read and ask; one adapter a file."""
