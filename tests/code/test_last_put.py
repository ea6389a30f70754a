"""Objects that are unlinked by their last put."""

from __future__ import annotations

from bot.code.last_put import unlinked_last
from bot.code.protection import WorldFacts
from bot.code.structs import Key
from bot.model import Image, World

STRUCTS = "struct gadget { struct list_head node; refcount_t users; struct kref ref; int id; };\n"


def keys(text: str) -> set[Key]:
    code = WorldFacts(World((Image("a.c", STRUCTS + text),)))
    return {key for function in code.functions for key, _ in unlinked_last(code, function)}


def test_a_release_function_that_erases_tells_the_count() -> None:
    text = """\
static void gadget_release(struct kref *ref)
{
	struct gadget *g = container_of(ref, struct gadget, ref);

	xa_erase(&table, g->id);
	kfree_rcu(g, rcu);
}

void gadget_put(struct gadget *g)
{
	kref_put(&g->ref, gadget_release);
}
"""
    assert keys(text) == {Key("gadget", "ref")}


def test_an_unlink_behind_the_last_put_tells_the_count() -> None:
    text = "void f(struct gadget *g)\n{\n\tif (refcount_dec_and_test(&g->users))\n\t\tlist_del_rcu(&g->node);\n}\n"
    assert keys(text) == {Key("gadget", "users")}


def test_an_unlink_before_the_put_tells_nothing() -> None:
    text = "int f(struct gadget *g)\n{\n\tlist_del_rcu(&g->node);\n\tkref_put(&g->ref, last);\n\tkfree(g);\n}\n"
    assert keys(text) == set()
