"""Where kernel source comes from; one adapter a file."""
