"""Where state lives between two starts: one SQL schema."""
