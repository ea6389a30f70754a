"""gracewatch run: the service, which begins anew with the settings as they are now whenever SIGHUP asks for it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import structlog

from bot import logs
from bot.app import App
from bot.health import HealthError
from bot.ports import StoreError, TreeError
from config.settings import SettingsError, load

LOG = structlog.get_logger("gracewatch")
_CURE = "the former settings hold; mend them and send SIGHUP again"


def run(config: Path | None) -> None:
    """Work until SIGINT or SIGTERM.  Raises SettingsError, StoreError, TreeError or HealthError at the first start."""
    asyncio.run(_run(config))


async def _run(config: Path | None) -> None:
    service = Service(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, service.stop)
    loop.add_signal_handler(signal.SIGHUP, service.begin_anew)
    await service.run()


class Service:
    """One life of the App after the other.  For each, all settings are read anew, files that hold secrets included.

    Settings that cannot be used are told, and those of the life before hold.  Raises what App and ``load`` raise.
    """

    def __init__(self, config: Path | None) -> None:
        self._config = config
        self._app = self._made()
        self._next: App | None = None
        self._stopped = False

    def stop(self) -> None:
        """End ``run``."""
        self._stopped = True
        self._app.stop()

    def begin_anew(self) -> None:
        """What the settings say now is to hold, if it can be used."""
        try:
            made = self._made()
        except (SettingsError, StoreError, TreeError) as fault:
            _refused(fault)
            return
        if made.settings == self._app.settings:
            LOG.info("settings are as they were")
            return
        LOG.info("settings changed", cure="the service begins anew with them")
        self._next = made
        self._app.stop()

    async def run(self) -> None:
        """Work until ``stop``."""
        former: App | None = None
        while True:
            settings = self._app.settings
            logs.set_up(settings.log.level, settings.log.format, secrets=settings.secrets)
            try:
                await self._app.run()
            except (StoreError, HealthError) as fault:
                if former is None:
                    raise
                _refused(fault)
                self._next = App(former.settings)
            if self._stopped or self._next is None:
                return
            former, self._app, self._next = self._app, self._next, None

    def _made(self) -> App:
        return App(load(self._config))


def _refused(fault: Exception) -> None:
    LOG.error("settings cannot be used", reason=str(fault), cure=_CURE)
