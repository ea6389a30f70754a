"""Matrix as a chat: threads, edits and people's words over the client-server API of any homeserver."""

from bot.chats.matrix.chat import Matrix

__all__ = ["Matrix"]
