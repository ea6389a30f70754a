"""What people may ask in chat; one file, one verb."""
