"""SIGHUP has a running service take over new settings; broken ones are told, and change nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.journeys.gracewatch import EXAMPLES
from tests.journeys.service import service, settings


def test_a_feed_that_is_added_is_read_and_what_is_known_is_not_told_twice(tmp_path: Path) -> None:
    with service(tmp_path) as it:
        shutil.copy(EXAMPLES / "kvm" / "v1.mbox", tmp_path / "first")
        it.until(lambda: it.events("series reviewed"))
        it.told(settings(tmp_path, "first", "second"))
        it.until(lambda: len(it.events("watching")) == 2)
        assert [line["feeds"] for line in it.events("watching")] == ["first", "first, second"]
        shutil.copy(EXAMPLES / "kvm" / "v3.mbox", tmp_path / "second")
        it.until(lambda: len(it.events("series reviewed")) == 2)
    told = [line["delivery"] for line in it.events("page left")]
    assert len(told) == len(set(told)) > 0
    assert not any("Traceback" in json.dumps(line) for line in it.log)


def test_settings_that_cannot_be_read_change_nothing(tmp_path: Path) -> None:
    with service(tmp_path) as it:
        it.told("no = such\nsettings")
        it.until(lambda: it.events("settings cannot be used"))
        it.told(settings(tmp_path, "first"))
        it.until(lambda: it.events("settings are as they were"))
        shutil.copy(EXAMPLES / "kvm" / "v1.mbox", tmp_path / "first")
        it.until(lambda: it.events("series reviewed"))
        assert len(it.events("watching")) == 1
        assert "gracewatch.toml" in it.events("settings cannot be used")[0]["reason"]


def test_settings_that_cannot_be_begun_with_give_way_to_the_former(tmp_path: Path) -> None:
    with service(tmp_path) as it:
        it.told(settings(tmp_path, "first", "second").replace("health.port = 0", 'health.host = "192.0.2.1"'))
        it.until(lambda: len(it.events("watching")) == 2)
        assert "192.0.2.1" in it.events("settings cannot be used")[0]["reason"]
        assert it.events("watching")[1]["feeds"] == "first"
