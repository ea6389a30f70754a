"""A plain walk is a reader's when the section is for it, and no lock may be there instead."""

from __future__ import annotations

import pytest

from bot.code.plain_walks import plain_walks
from bot.code.protection import WorldFacts
from bot.model import Image, World

TEXT = """\
struct gadget {{ struct list_head node; }};
struct hub {{ spinlock_t lock; struct list_head all; }};
static void gadget_add(struct hub *hub, struct gadget *g)
{{
	list_add_rcu(&g->node, &hub->all);
}}
static void hub_show(struct hub *hub, struct list_head *head)
{{
	struct gadget *g;
{body}
}}
"""
WALK = "list_for_each_entry(g, &hub->all, node)\n\t\tshow(g);\n"


def found(body: str) -> list[str]:
    code = WorldFacts(World((Image("hub.c", TEXT.format(body=body)),)))
    return [fact.code for fact, _ in plain_walks(code, frozenset({"list_for_each_entry"}))]


@pytest.mark.parametrize(
    "section", [f"guard(rcu)();\n{WALK}", f"int idx = srcu_read_lock(&s);\n{WALK}srcu_read_unlock(&s, idx);"]
)
def test_a_plain_walk_in_a_section_of_its_own_is_found(section: str) -> None:
    assert found(section) == ["list_for_each_entry(g, &hub->all, node)"]


@pytest.mark.parametrize(
    "body",
    [
        WALK,  # the section, or the lock, is the caller's
        f"guard(rcu)();\nguard(spinlock)(&hub->lock);\n{WALK}",
        f"guard(rcu)();\nlockdep_assert_held(&hub->lock);\n{WALK}",
        f"guard(rcu)();\ng = rcu_dereference(hub->first);\n{WALK}",  # the section is for the pointer
        f"guard(rcu)();\n{WALK}list_del_rcu(&g->node);",  # an updater
        "guard(rcu)();\nlist_for_each_entry(g, head, node)\n\t\tshow(g);",  # another head, for all that is known
        "guard(rcu)();\nlist_for_each_entry_rcu(g, &hub->all, node)\n\t\tshow(g);",
    ],
)
def test_what_may_be_protected_otherwise_is_not(body: str) -> None:
    assert found(body) == []
