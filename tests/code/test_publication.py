"""Publication is the step from which on somebody else can find what a function made."""

from __future__ import annotations

import pytest

from bot.code.lifetime import Lifetime
from bot.code.protection import WorldFacts
from bot.code.publication import published, who_uses
from bot.model import Image, World

TYPES = "struct gadget { struct list_head node; }; struct hub { struct list_head all; struct gadget __rcu *first; };\n"


def places(body: str, name: str = "hub_set") -> list[tuple[int, str]]:
    """The lines and variables of what a function with this body publishes; its first line is 1."""
    text = f"{TYPES}static int {name}(struct hub *hub)\n{{\n{body}}}\n"
    code = WorldFacts(World((Image("hub.c", text),)))
    function = code.functions[0]
    found = published(code, Lifetime(code), function)
    return [(function.flow.steps[number].line, variable) for number, variable, _ in found]


@pytest.mark.parametrize(
    "operation",
    [
        "list_add_rcu(&g->node, &hub->all);",
        "rcu_assign_pointer(hub->first, g);",
        "xa_store(&hub->many, 1, g, GFP_KERNEL);",
        "id = idr_alloc(&hub->many, g, 0, 0, GFP_KERNEL);",
    ],
)
def test_what_was_made_here_is_published_by_lists_pointers_and_numbers(operation: str) -> None:
    assert places(f"struct gadget *g = kzalloc(8, GFP_KERNEL);\n{operation}\n") == [(4, "g")]


def test_an_object_is_published_once() -> None:
    assert places(
        "g = kzalloc(8, GFP_KERNEL);\nrcu_assign_pointer(hub->first, g);\nlist_add_rcu(&g->node, &hub->all);\n"
    ) == [(4, "g")]


@pytest.mark.parametrize(
    "body",
    [
        "struct gadget *g = hub->spare;\nrcu_assign_pointer(hub->first, g);\n",  # somebody may know it already
        "struct hub *other = kzalloc(8, GFP_KERNEL);\nstruct gadget *g = kzalloc(8, GFP_KERNEL);\n"
        "rcu_assign_pointer(other->first, g);\n",  # nobody knows the other hub
        "struct gadget *g = kzalloc(8, GFP_KERNEL);\nLIST_HEAD(own);\nlist_add_rcu(&g->node, &own);\n",
        "struct gadget *g = kzalloc(8, GFP_KERNEL);\nmutex_lock(&hub->lock);\nidr_alloc(&hub->many, g, 0, 0, 0);\n",
    ],
)
def test_what_nobody_can_find_yet_is_not_published(body: str) -> None:
    assert places(body) == []


def test_a_pointer_of_what_is_being_set_up_is_not_seen_yet() -> None:
    body = "struct gadget *g = kzalloc(8, GFP_KERNEL);\nrcu_assign_pointer(hub->first, g);\n"
    assert places(body, "hub_init") == []
    assert places(body, "hub_swap") == [(4, "g")]


def test_a_reader_that_takes_a_lock_is_no_reader_of_a_member() -> None:
    text = f"""{TYPES}static int hub_set(struct hub *hub)
{{
	struct gadget *g = kzalloc(8, GFP_KERNEL);
	list_add_rcu(&g->node, &hub->all);
}}
static void hub_show(struct hub *hub)
{{
	struct gadget *g;
	guard(rcu)();
	list_for_each_entry_rcu(g, &hub->all, node) {{
		show(g->id);
		spin_lock(&hub->lock);
		show(g->name);
		spin_unlock(&hub->lock);
	}}
}}
"""
    code = WorldFacts(World((Image("hub.c", text),)))
    fact = next(fact for _, _, fact in published(code, Lifetime(code), code.functions[0]) if fact)
    assert {function.name for function, _ in who_uses(code, fact, "g->id")} == {"hub_show"}
    assert list(who_uses(code, fact, "g->name")) == []
