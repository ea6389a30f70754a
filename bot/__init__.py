"""The machine: everything between a mail and a chat message."""
