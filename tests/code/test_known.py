"""What is known of KVM's objects is proved by a tree, or said to be gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.code.known import KnownObjectsError, read, verify
from config.known import table
from tests.journeys.gracewatch import ROOT, gracewatch

TABLE = """
[[object]]
name = "hub.gadgets"
readers = "RCU"
updaters = "hub->lock"
proofs = [{ role = "publish", file = "hub.c", function = "hub_add", code = "list_add_rcu(&g->node, &hub->gadgets)" }]
"""
SOURCE = """\
void hub_other(struct hub *hub)
{
}

void hub_add(struct hub *hub, struct gadget *g)
{
	list_add_rcu(&g->node,
			&hub->gadgets);
}
"""


def test_a_proof_is_found_however_it_is_spelled_and_its_line_is_named() -> None:
    (proved,) = verify(read(TABLE), {"hub.c": SOURCE})
    assert (proved.object, proved.line, proved.gone) == ("hub.gadgets", 7, "")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (None, "no such file"),
        (SOURCE.replace("hub_add", "hub_insert"), "no hub_add() in the file"),
        (SOURCE.replace("_rcu", ""), "not in hub_add()"),
    ],
)
def test_a_proof_that_is_gone_says_what_is_gone(source: str | None, why: str) -> None:
    (proved,) = verify(read(TABLE), {"hub.c": source})
    assert proved.line == 0
    assert why in proved.gone


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[object", "no TOML"),
        ('[[object]]\nname = "x"', "object 1 has no 'readers'"),
        ('[[contract]]\nfunction = "f"', "contract 1 has no 'needs'"),
        ('[[entry]]\nfunction = "f"\nholds = []\nproofs = []', "entry 1, f, has no proof"),
        (TABLE.replace('"publish"', '"magic"'), "object 1: 'magic' is not a valid Role"),
        ('[[object]]\nname = "x"\nreaders = ""\nupdaters = ""\nproofs = []', "has no proof"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(text: str, words: str) -> None:
    with pytest.raises(KnownObjectsError, match=words):
        read(text)


def test_the_shipped_table_names_each_object_once_and_proves_it() -> None:
    names = [name for name, _ in table().entries()]
    assert len(names) > 30
    assert len(set(names)) == len(names)
    assert {"kvm.devices", "kvm.memslots", "kvm.buses", "kvm.irq_routing"} <= set(names)


def test_verify_tells_each_proof_and_counts_those_that_are_gone(tmp_path: Path) -> None:
    done = gracewatch("objects", "verify", "--tree", str(ROOT / "examples" / "tree"), "--format", "json")
    assert done.returncode == 1, done.stderr
    proofs = json.loads(done.stdout)["proofs"]
    assert {one["line"] > 0 for one in proofs if not one["gone"]} == {True}
    told = gracewatch("objects", "verify", "--tree", str(tmp_path))
    assert told.returncode == 1
    assert f"{len(proofs)} gone" in told.stdout.decode()
