"""Slack as a chat: what is said there, what people say and click, and the two ways it is connected."""

from bot.chats.slack.chat import Slack
from bot.chats.slack.connection import Http, Socket

__all__ = ["Http", "Slack", "Socket"]
