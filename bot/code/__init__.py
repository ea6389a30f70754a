"""A series to worlds, C text to structure and facts; pure."""
