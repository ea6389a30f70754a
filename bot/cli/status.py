"""gracewatch status: what the chat command of that name says, for whoever is on the machine."""

from __future__ import annotations

import asyncio

from bot.app import App
from bot.cli.showing import show
from bot.model import Ask, Reply
from bot.ports import StoreError
from config.settings import Settings
from handlers.asked import asked


def run(settings: Settings) -> None:
    """Print the status page.  Raises StoreError, also when no service has run here yet, and TreeError."""
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    if not settings.store.url and not (settings.state.folder / "gracewatch.db").exists():
        raise StoreError(f"{settings.state.folder}: no service has run with this state folder; `gracewatch run` begins")
    app = App(settings)
    try:
        await app.store.ping()
        reply = await asked(Ask("command line", "", "", "status"), app.doors())
    finally:
        app.review.close()
        await app.store.close()
    if isinstance(reply, Reply):
        show(reply.page)
