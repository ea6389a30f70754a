"""Every input that was kept, because it reaches far or once failed, is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.run import CORPUS
from tests.fuzz.targets import TARGETS

KEPT = [(target, path) for target in TARGETS for path in sorted((CORPUS / target).glob("*"))]


@pytest.mark.parametrize(("target", "path"), KEPT, ids=lambda value: value.name if isinstance(value, Path) else value)
def test_a_kept_input_holds(target: str, path: Path) -> None:
    TARGETS[target](path.read_bytes())


def test_every_target_has_inputs_to_start_from() -> None:
    assert {target for target, _ in KEPT} == TARGETS.keys()
