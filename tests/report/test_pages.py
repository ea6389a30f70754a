"""The pages of warnings, rules and runs."""

from __future__ import annotations

from dataclasses import replace

from bot.catalog import rules
from bot.model import Context, Quiet, Scan, Unreadable
from bot.report import explain, links, summary, warning
from bot.report.text import render
from tests.report.making import ERROR_PATH, EXCUSED, OTHER, RELEASE, review, series

WARNING = """\
error: list_del() on kvm.devices, which is an RCU list
https://lore.kernel.org/r/v1-1@example.org
virt/kvm/kvm_main.c:4787 kvm_device_release(), not touched by the diff
    publish  + list_add_rcu(&dev->vm_node, &kvm->devices);
               virt/kvm/kvm_main.c:4870 kvm_ioctl_create_device(), this patch
    remove     list_del(&dev->vm_node);
               virt/kvm/kvm_main.c:4787 kvm_device_release(), as in linux-6.12
    wait       no grace period between removal and free
    excused    list_del(&dev->vm_node);
               virt/kvm/kvm_main.c:1297 kvm_destroy_devices(), as in linux-6.12
               the last reference is gone
Can kvm_device_release() run while a reader is on the list?
If so: list_del_rcu() and a grace period before dev is freed.
plain-del-on-rculist (confidence 0.9) · Documentation/RCU/checklist.rst item 4c
"""


def test_a_warning_proves_every_claim_with_a_line_and_its_origin() -> None:
    assert render(warning.page(series(), (RELEASE,), "linux-6.12"), 100) == WARNING


def test_a_warning_from_a_diff_alone_says_so() -> None:
    text = render(warning.page(series(), (replace(RELEASE, context=Context.HUNK),)), 200)
    assert "plain-del-on-rculist (confidence 0.9, seen in the diff alone)" in text


def test_a_second_place_brings_only_evidence_that_was_not_shown() -> None:
    text = render(warning.page(series(), (RELEASE, ERROR_PATH)), 100)
    assert text.count("list_add_rcu(&dev->vm_node") == 1
    assert "Also: error path frees a node of kvm.devices that readers can see" in text


def test_findings_about_one_object_make_one_group() -> None:
    assert warning.by_object((RELEASE, OTHER, ERROR_PATH)) == ((RELEASE, ERROR_PATH), (OTHER,))


def test_in_a_longer_series_a_line_says_which_patch_it_is_from() -> None:
    text = render(warning.page(replace(series(), expected=20), (RELEASE,)))
    assert "kvm_ioctl_create_device(), patch 1/20" in " ".join(text.split())


def test_a_hostile_message_id_stays_inside_the_address() -> None:
    hostile = replace(series().patches[0].message, id='a|<!channel>"/../x@y')
    assert links.of_message(hostile.id) == "https://lore.kernel.org/r/a%7C%3C!channel%3E%22%2F..%2Fx@y"


def test_every_rule_has_a_page_with_its_cure_and_its_first_bad_example() -> None:
    for rule in rules():
        text = " ".join(render(explain.page(rule)).split())
        assert rule.name in text
        assert " ".join(rule.instead.split()) in text
        assert rule.bad[0].title in text
        assert all(spot.title in text for spot in rule.blind_spots)


def test_the_whole_page_of_a_rule_shows_every_example() -> None:
    for rule in rules():
        text = render(explain.page(rule, whole=True))
        examples = (*rule.bad, *rule.good, *rule.blind_spots)
        assert all(example.text.splitlines()[0].strip() in text for example in examples)


def test_the_index_names_every_rule() -> None:
    text = render(explain.index(rules()), 200)
    assert all(f"{rule.name} " in text for rule in rules())


def test_a_series_without_findings_says_how_much_was_looked_at() -> None:
    (page,) = summary.of_series(series(), review())
    assert "nothing found" in render(page)
    assert "Looked at 212 functions" in render(page)


def test_what_was_excused_is_said_once() -> None:
    here = Quiet("plain-del-on-rculist", f"kvm_destroy_devices() x.c:1297: {EXCUSED.note}")
    elsewhere = Quiet("plain-del-on-rculist", "other() x.c:7: nobody can see it yet")
    head, _ = summary.of_series(series(), replace(review(1, RELEASE), quiet=(here, elsewhere)))
    assert "nobody can see it yet" in render(head)
    assert EXCUSED.note not in render(head)


def test_the_closing_table_counts_and_tells_the_rate() -> None:
    scan = Scan(3308, 1500, 400, 90000, (Unreadable("x", "empty"),))
    text = render(summary.closing(scan, {"plain-del-on-rculist": 2, "cosmetic-rcu": 3}, 1654.0))
    rows = dict(line.rsplit(maxsplit=1) for line in text.splitlines()[1:-1])
    assert (rows["messages"], rows["findings"], rows["unreadable"]) == ("3,308", "5", "1")
    assert text.index("cosmetic-rcu") < text.index("plain-del-on-rculist")
    assert "1,654 messages/s" in text
