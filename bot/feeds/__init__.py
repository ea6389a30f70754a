"""Where mail comes from; one adapter a file."""
