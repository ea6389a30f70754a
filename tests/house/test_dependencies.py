"""Every package that we ask for is justified, with its licence, and pinned with hashes."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest

from tests.journeys.gracewatch import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ASKED = [*PROJECT["dependencies"], *(name for extra in PROJECT["optional-dependencies"].values() for name in extra)]
NAMES = sorted({re.split(r"[^\w.-]", asked)[0] for asked in ASKED})
ROWS = dict(
    re.findall(
        r"^\| ([\w.-]+) \| ([^|]+) \|", (ROOT / "docs/decisions/0007-what-we-depend-on.md").read_text("utf-8"), re.M
    )
)


def test_each_package_is_justified_and_no_other_is() -> None:
    assert sorted(ROWS.keys() - {"package"}) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_licence_is_what_the_package_says(name: str) -> None:
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed here")
    words = " ".join(
        (*said.get_all("License-Expression", []), *said.get_all("License", []), *said.get_all("Classifier", []))
    )
    licence = ROWS[name].strip()
    if name == "atheris":  # its metadata is silent; the licence is in its repository
        assert "License ::" not in words
    else:
        assert licence.split(" ")[0].split("-")[0] in words


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_every_pin_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    pins = re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==\S+", text, re.M)
    assert len(pins) >= 3
    assert all(re.search(rf"^{re.escape(pin)}[^\n]*\\\n    --hash=sha256:[0-9a-f]{{64}}", text, re.M) for pin in pins)
    assert "://" not in text
