"""A few kills of the service; `make chaos` kills it as often as one likes."""

from __future__ import annotations

import asyncio

from tests.chaos.lives import CONTEXT, PRELOADED
from tests.chaos.run import chaos
from tests.chats.slack_server import needs_slack
from tests.store.postgres import needs_postgres, postgres

pytestmark = needs_slack


def test_a_service_that_is_killed_loses_nothing_and_says_nothing_twice() -> None:
    CONTEXT.set_forkserver_preload(PRELOADED)
    tally = asyncio.run(chaos(4, "", replicas=1, at_once=1, of_a_round=4))
    assert (tally.kills, tally.complaints) == (4, [])


@needs_postgres
def test_nor_do_three_replicas_on_one_database() -> None:
    CONTEXT.set_forkserver_preload(PRELOADED)
    with postgres() as server:
        tally = asyncio.run(chaos(4, server, replicas=3, at_once=1, of_a_round=4))
    assert (tally.kills, tally.complaints) == (4, [])
