"""How the tests search for examples: the same ones each time, and without a clock, so that a red test is a red test.

`pytest --hypothesis-profile=hunt` searches longer, and elsewhere each time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.chats.matrix_server import Accounts, matrix_process

settings.register_profile("hunt", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def matrix_accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """One Matrix server for all tests, since it takes seconds to start; each test makes a room of its own."""
    with matrix_process(tmp_path_factory.mktemp("synapse")) as accounts:
        yield accounts
