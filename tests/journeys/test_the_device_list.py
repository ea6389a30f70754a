"""The case that gracewatch was born from: kvm->devices becomes an RCU list, and two removals are forgotten.

[PATCH 0/2]                      warns of kvm_device_release() and the error path of kvm_ioctl_create_device()
└─ [PATCH v3 0/2]                fixed: 2
   └─ a patch that takes one synchronize_rcu() away again: warns
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from tests.journeys.gracewatch import EXAMPLES, at_work, feed_of, gracewatch, tree_after_v3

V1, V3, DELETION = EXAMPLES / "kvm/v1.mbox", EXAMPLES / "kvm/v3.mbox", EXAMPLES / "deletion.mbox"


def checked(*words: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of a check, and its findings."""
    done = gracewatch("check", "--format", "json", *words)
    assert b"Traceback" not in done.stderr
    return done.returncode, [finding for one in json.loads(done.stdout)["series"] for finding in one["findings"]]


def test_v1_is_warned_of_where_no_hunk_is() -> None:
    code, findings = checked("--tree", str(EXAMPLES / "tree"), str(V1))
    assert code == 1
    assert {(f["function"], f["touched"]) for f in findings} == {
        ("kvm_device_release", False),
        ("kvm_ioctl_create_device", False),
    }
    release = next(f for f in findings if f["function"] == "kvm_device_release")
    roles = {(item["role"], item["function"], item["origin"]) for item in release["evidence"]}
    assert ("publish", "kvm_ioctl_create_device", "patch 1") in roles
    assert ("reader", "vgic_its_invalidate_all_caches", "patch 2") in roles
    assert ("remove", "kvm_device_release", "base") in roles
    assert {"wait", "excused"} <= {item["role"] for item in release["evidence"]}
    text = (EXAMPLES / "tree" / release["path"]).read_text().splitlines()
    assert "list_del(&dev->vm_node)" in text[release["line"] - 1]


def test_without_a_tree_one_honest_warning_is_left() -> None:
    code, findings = checked(str(V1))
    assert code == 1
    assert [(f["rule"], f["context"]) for f in findings] == [("half-converted-rculist", "hunk")]
    assert findings[0]["confidence"] < 0.8


def test_v3_is_silent() -> None:
    assert checked("--tree", str(EXAMPLES / "tree"), str(V3)) == (0, [])


def test_taking_the_wait_away_again_is_warned_of(tmp_path: Path) -> None:
    code, findings = checked("--tree", str(tree_after_v3(tmp_path)), str(DELETION))
    assert code == 1
    assert {f["function"] for f in findings} == {"kvm_device_release"}


def test_taking_the_fault_back_is_silent() -> None:
    code, findings = checked("--tree", str(EXAMPLES / "tree"), "--reverse", str(V1))
    assert (code, findings) == (0, [])


async def test_a_day_of_mail_is_one_thread_in_chat(tmp_path: Path) -> None:
    feed = feed_of(tmp_path, V1)
    async with at_work(tmp_path / "state", feed, str(EXAMPLES / "tree")) as service:
        said = await service.until_said("kvm_ioctl_create_device(), not touched by the diff")
        assert "v1: 2 new (kvm.devices)" in said
        feed_of(tmp_path, V3)
        said = await service.until_said("~ Fixed in v3")
        assert "fixed in v3: 2" in said
        assert said.count("kvm_device_release(), not touched by the diff") == 1


async def test_the_example_that_was_told_already_is_said_to_be(tmp_path: Path) -> None:
    with capture_logs() as first:
        async with at_work(tmp_path / "state") as service:
            await service.until_said("fixed in v3: 2")
    with capture_logs() as second:
        async with at_work(tmp_path / "state") as service:
            await service.until_logged(second, "the example was told already")
            assert service.said == ""
    assert "the example was told already" not in {line["event"] for line in first}
    (told,) = (line for line in second if line["event"] == "the example was told already")
    assert f"remove {tmp_path / 'state'}/" in told["cure"]


async def test_a_restart_says_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    feed = feed_of(tmp_path, V1)
    async with at_work(tmp_path / "state", feed, str(EXAMPLES / "tree")) as service:
        await service.until_said("kvm_ioctl_create_device(), not touched by the diff")
    feed_of(tmp_path, V3)
    async with at_work(tmp_path / "state", feed, str(EXAMPLES / "tree")) as service:
        said = await service.until_said("fixed in v3: 2")
        assert "not touched by the diff" not in said
