"""An operator asks over HTTP and is told which part is not ready."""

from __future__ import annotations

import io
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.chats.console import Console
from bot.health import FIGURES, Figures, Health, HealthError
from bot.ports import Meter
from bot.store import SqlStore


class Service:
    """A health server that listens, with its parts at hand."""

    def __init__(self, folder: Path) -> None:
        self.store = SqlStore(f"sqlite:///{folder}/gracewatch.db")
        self.out = io.StringIO()
        self.figures = Figures()
        self.health = Health(self.store, [Console(self.out)], self.figures)

    async def start(self) -> None:
        await self.store.upgrade()
        self.address = await self.health.start("127.0.0.1", 0)

    async def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        async with aiohttp.ClientSession() as session, session.get(self.address + path, headers=headers) as answer:
            return answer.status, answer.content_type, await answer.text()

    async def parts(self) -> tuple[int, dict[str, Any]]:
        async with aiohttp.ClientSession() as session, session.get(self.address + "/readyz") as answer:
            return answer.status, await answer.json()

    async def stop(self) -> None:
        await self.health.stop()
        await self.store.close()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    running = Service(tmp_path)
    await running.start()
    yield running
    await running.stop()


async def test_the_process_says_that_it_lives(service: Service) -> None:
    assert await service.get("/healthz") == (200, "application/json", '{"alive": true}')


async def test_all_parts_well_is_ready(service: Service) -> None:
    service.health.note("feed kvm", "")
    status, said = await service.parts()
    assert status == 200
    assert said == {
        "ready": True,
        "parts": {"store": "ok", "chat console": "ok", "feed kvm": "ok"},
        "replica": {"name": "", "holds": {}},
    }


async def test_a_chat_that_is_gone_is_not_ready(service: Service) -> None:
    service.out.close()
    status, said = await service.parts()
    assert status == 503
    assert said["parts"] == {"store": "ok", "chat console": "cannot be reached"}


async def test_a_feed_whose_last_poll_failed_is_not_ready_until_one_goes_well(service: Service) -> None:
    service.health.note("feed kvm", "mirror/kvm: no such folder")
    status, said = await service.parts()
    assert (status, said["ready"]) == (503, False)
    assert said["parts"]["feed kvm"] == "mirror/kvm: no such folder"
    service.health.note("feed kvm", "")
    assert (await service.parts())[0] == 200


async def test_a_store_that_is_gone_is_not_ready_and_the_figures_still_come(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.address = await service.health.start("127.0.0.1", 0)
    status, said = await service.parts()
    assert status == 503
    assert "schema is too old" in said["parts"]["store"]
    assert (await service.get("/metrics"))[0] == 200
    await service.stop()


async def test_figures_explain_themselves(service: Service) -> None:
    service.figures.count("mails", 3, feed="kvm", outcome="patch")
    service.figures.count("mails", feed="kvm", outcome="patch")
    service.figures.gauge("feed_read_time_seconds", 1.5, feed="kvm")
    service.figures.observe("review_seconds", 0.2)
    status, kind, text = await service.get("/metrics")
    assert (status, kind) == (200, "text/plain")
    assert 'gracewatch_mails_total{feed="kvm",outcome="patch"} 4.0\n' in text
    assert 'gracewatch_feed_read_time_seconds{feed="kvm"} 1.5\n' in text
    assert "gracewatch_review_seconds_count 1.0\n" in text
    assert 'gracewatch_stored{kind="gave-up"} 0.0\n' in text
    assert 'gracewatch_queue_age_seconds{queue="pages"} 0.0\n' in text
    assert "process_resident_memory_bytes " in text
    for name, figure in FIGURES.items():
        assert figure.help in text
        assert figure.help.endswith("."), name


async def test_figures_come_in_the_newer_format_on_request(service: Service) -> None:
    status, kind, text = await service.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert (status, kind) == (200, "application/openmetrics-text")
    assert text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "misuse",
    [
        lambda figures: figures.count("nothing"),
        lambda figures: figures.count("review_seconds"),
        lambda figures: figures.count("mails", feed="kvm"),
        lambda figures: figures.observe("review_seconds", 1, feed="kvm"),
    ],
)
def test_a_figure_that_is_not_in_the_table_is_refused(misuse: Callable[[Meter], None]) -> None:
    with pytest.raises(ValueError, match=r"FIGURES|label"):
        misuse(Figures())


def test_two_services_in_a_process_keep_their_own_figures() -> None:
    first, second = Figures(), Figures()
    first.count("rate_limited", chat="slack")
    assert first.registry.get_sample_value("gracewatch_rate_limited_total", {"chat": "slack"}) == 1
    assert second.registry.get_sample_value("gracewatch_rate_limited_total", {"chat": "slack"}) is None


async def test_a_port_that_is_taken_is_told_with_the_cure(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(HealthError, match=r"set health\.host and health\.port"),
    ):
        await service.health.start("127.0.0.1", taken.getsockname()[1])
    await service.stop()
