"""Series, findings and reviews for the tests of the report, with names from the case of the KVM device list."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.model import (
    Address,
    Context,
    Evidence,
    FileDiff,
    Finding,
    Hunk,
    Level,
    Message,
    Patch,
    Review,
    Role,
    Series,
    SeriesState,
    Subject,
    SubjectKind,
    Triage,
)
from bot.report.story import Story

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ADA = Address("Ada Writer", "ada@example.org")
MAIN = "virt/kvm/kvm_main.c"

REMOVE = Evidence(Role.REMOVE, MAIN, "kvm_device_release", 4787, "list_del(&dev->vm_node);", "base")
PUBLISH = Evidence(
    Role.PUBLISH, MAIN, "kvm_ioctl_create_device", 4870, "list_add_rcu(&dev->vm_node, &kvm->devices);", "patch 1"
)
NO_WAIT = Evidence(Role.WAIT, "", "", 0, "no grace period between removal and free")
EXCUSED = Evidence(
    Role.EXCUSED, MAIN, "kvm_destroy_devices", 1297, "list_del(&dev->vm_node);", "base", "the last reference is gone"
)

RELEASE = Finding(
    rule="plain-del-on-rculist",
    level=Level.ERROR,
    confidence=0.9,
    path=MAIN,
    function="kvm_device_release",
    line=4787,
    text="list_del() on kvm.devices, which is an RCU list",
    subject="kvm.devices",
    touched=False,
    introduced_by="v1-1@example.org",
    evidence=(PUBLISH, REMOVE, NO_WAIT, EXCUSED),
    fingerprint="aaaaaaaaaaaaaaaa",
    context=Context.TREE,
    question="Can kvm_device_release() run while a reader is on the list?",
    cure="If so: list_del_rcu() and a grace period before dev is freed.",
    source="Documentation/RCU/checklist.rst item 4c",
)
ERROR_PATH = replace(
    RELEASE,
    rule="error-path-frees-published",
    function="kvm_ioctl_create_device",
    line=4881,
    text="error path frees a node of kvm.devices that readers can see",
    touched=True,
    fingerprint="bbbbbbbbbbbbbbbb",
    evidence=(PUBLISH, replace(REMOVE, function="kvm_ioctl_create_device", line=4881)),
)
OTHER = replace(
    RELEASE, subject="kvm.buses", text="kfree() of kvm.buses without a grace period", fingerprint="cccccccccccccccc"
)


def series(version: int = 1, state: SeriesState = SeriesState.SETTLED, title: str = "KVM: walk devices") -> Series:
    subject = Subject("", SubjectKind.PATCH, title, version=version, index=1, total=1)
    message = Message(f"v{version}-1@example.org", subject, ADA, NOON, ("kvm@vger.kernel.org",), (), "")
    lines = (" a", "-list_add(&dev->vm_node, &kvm->devices);", "+list_add_rcu(&dev->vm_node, &kvm->devices);")
    patch = Patch(message, (FileDiff(MAIN, MAIN, hunks=(Hunk(1, 2, 1, 2, "", lines),)),))
    return Series(f"v{version}", "thread-1", version, title, ADA, 1, state, NOON, patches=(patch,))


def review(version: int = 1, *findings: Finding) -> Review:
    return Review(f"v{version}", findings, context=Context.TREE, base="linux-6.12", functions=212)


def story(*found: tuple[Finding, ...], verdicts: tuple[Triage, ...] = ()) -> Story:
    """A thread whose versions 1, 2, … were reviewed and had these findings."""
    numbered = tuple(enumerate(found, start=1))
    return Story(
        tuple(series(version, SeriesState.REVIEWED) for version, _ in numbered),
        {f"v{version}": review(version, *findings) for version, findings in numbered},
        {one.fingerprint: one for one in verdicts},
    )
