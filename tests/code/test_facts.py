"""Each kind of fact is read off the step that makes it, with its object, its form and its flavour."""

from __future__ import annotations

import pytest

from bot.code.declarations import declarations_in
from bot.code.facts import Fact, FactKind, facts_of, functions_of
from bot.code.structs import NOWHERE, Key, Structs
from bot.model import Image

TYPES = """\
struct dev { struct list_head node; struct hlist_node hash_node; struct { struct list_head node; } group; };
struct hub {
	struct list_head devs;
	struct hlist_head table[16];
	struct dev __rcu *cur;
	int (*count)(void);
	struct srcu_struct srcu;
};
static LIST_HEAD(all);
"""
NODE, HASH, DEVS, TABLE = Key("dev", "node"), Key("dev", "hash_node"), Key("hub", "devs"), Key("hub", "table")
CUR, ALL = Key("hub", "cur"), Key("", "all")
K = FactKind


def facts(body: str) -> list[Fact]:
    text = TYPES + f"void f(struct hub *hub, struct dev *dev, struct dev *new)\n{{\n\tstruct dev *it;\n{body}\n}}\n"
    (function,) = functions_of(Image("a.c", text))
    assert function.clean, body
    return list(facts_of(function, Structs([declarations_in(text)])))


@pytest.mark.parametrize(
    ("code", "node", "head", "rcu"),
    [
        ("list_add(&dev->node, &hub->devs);", NODE, DEVS, False),
        ("list_add_tail_rcu(&dev->node, &all);", NODE, ALL, True),
        ("hlist_add_head_rcu(&dev->hash_node, &hub->table[key & 15]);", HASH, TABLE, True),
        ("hash_add_rcu(hub->table, &dev->hash_node, key);", HASH, TABLE, True),
        ("hlist_add_behind_rcu(&dev->hash_node, &it->hash_node);", HASH, NOWHERE, True),
        ("list_add_rcu(&container_of(x, struct dev, group)->node, &hub->devs);", NODE, DEVS, True),
        ("list_add_rcu(&dev->group.node, &hub->devs);", Key("dev.group", "node"), DEVS, True),
    ],
)
def test_an_add_has_a_node_and_a_head(code: str, node: Key, head: Key, rcu: bool) -> None:
    (fact,) = facts(code)
    assert (fact.kind, fact.node, fact.head, fact.rcu) == (K.ADD, node, head, rcu)


@pytest.mark.parametrize(
    ("code", "rcu"),
    [
        ("list_del(&dev->node);", False),
        ("list_del_init(&dev->node);", False),
        ("list_del_rcu(&dev->node);", True),
    ],
)
def test_an_unlink_names_its_variable(code: str, rcu: bool) -> None:
    (fact,) = facts(code)
    assert (fact.kind, fact.variable, fact.node, fact.rcu) == (K.UNLINK, "dev", NODE, rcu)


def test_a_replacement_publishes_one_node_and_unlinks_another() -> None:
    add, unlink = facts("list_replace_rcu(&dev->node, &new->node);")
    assert (add.kind, add.variable) == (K.ADD, "new")
    assert (unlink.kind, unlink.variable) == (K.UNLINK, "dev")


def test_a_move_is_a_plain_unlink_and_a_plain_add() -> None:
    unlink, add = facts("list_move_tail(&dev->node, &hub->devs);")
    assert (unlink.kind, unlink.rcu, add.kind, add.head, add.rcu) == (K.UNLINK, False, K.ADD, DEVS, False)


@pytest.mark.parametrize(
    ("code", "variable", "node", "head", "rcu"),
    [
        ("list_for_each_entry(it, &hub->devs, node) ;", "it", NODE, DEVS, False),
        ("list_for_each_entry_safe(it, new, &hub->devs, node) { }", "it", NODE, DEVS, False),
        ("list_for_each_entry_rcu(it, &all, node) x();", "it", NODE, ALL, True),
        ("hlist_for_each_entry_rcu(it, &hub->table[hash(key)], hash_node) x();", "it", HASH, TABLE, True),
        ("hash_for_each_possible_rcu(hub->table, it, hash_node, key) x();", "it", HASH, TABLE, True),
        ("list_for_each_entry(it, &hub->devs, group.node) x();", "it", Key("dev.group", "node"), DEVS, False),
        ("it = list_first_or_null_rcu(&hub->devs, struct dev, node);", "it", NODE, DEVS, True),
        ("it = list_first_entry(&hub->devs, typeof(*it), node);", "it", NODE, DEVS, False),
    ],
)
def test_a_walk_has_a_cursor_a_node_and_a_head(code: str, variable: str, node: Key, head: Key, rcu: bool) -> None:
    fact = next(fact for fact in facts(code) if fact.kind is K.WALK)
    assert (fact.variable, fact.node, fact.head, fact.rcu) == (variable, node, head, rcu)


def test_a_walk_keeps_its_lockdep_condition() -> None:
    (walk,) = facts("list_for_each_entry_srcu(it, &all, node, srcu_read_lock_held(&hub->srcu)) x();")
    assert (walk.flavour, walk.value) == ("srcu", "srcu_read_lock_held(&hub->srcu)")


def test_stores_tell_the_rcu_form_from_the_plain_one() -> None:
    published, retired, plain = facts(
        "rcu_assign_pointer(hub->cur, new); RCU_INIT_POINTER(hub->cur, NULL); hub->cur = dev;"
    )
    assert [(f.kind, f.head, f.value, f.rcu) for f in (published, retired, plain)] == [
        (K.STORE, CUR, "new", True),
        (K.STORE, CUR, "NULL", True),
        (K.STORE, CUR, "dev", False),
    ]


def test_a_read_has_a_flavour() -> None:
    found = facts("it = rcu_dereference(hub->cur); it = srcu_dereference(hub->cur, &hub->srcu);")
    assert [(f.kind, f.head, f.flavour) for f in found] == [(K.READ, CUR, "rcu"), (K.READ, CUR, "srcu")]


def test_waits_have_a_domain() -> None:
    found = [fact for fact in facts("synchronize_rcu(); synchronize_srcu(&hub->srcu);") if fact.kind is K.WAIT]
    assert [(f.flavour, f.value) for f in found] == [("rcu", ""), ("srcu", "&hub->srcu")]


def test_deferred_and_immediate_frees_name_the_object() -> None:
    found = facts("kfree_rcu(dev, rcu); kfree(dev); kmem_cache_free(cache, new); hub->ops->release(dev);")
    assert [(f.kind, f.variable) for f in found] == [
        (K.DEFER, "dev"),
        (K.FREE, "dev"),
        (K.FREE, "new"),
        (K.FREE, "dev"),
    ]


def test_an_allocation_sleeps_by_its_flags() -> None:
    assert [f.kind for f in facts("it = kmalloc(8, GFP_KERNEL);")] == [K.SLEEP]
    assert facts("it = kmalloc(8, GFP_ATOMIC);") == []
    assert [f.kind for f in facts("mutex_lock(&hub->lock);")] == [K.SLEEP]


def test_a_fact_quotes_its_statement_on_one_line() -> None:
    (fact,) = facts("\tlist_add_rcu(&dev->node,\n\t\t     &hub->devs);")
    assert fact.code == "list_add_rcu(&dev->node, &hub->devs);"
    assert fact.line == TYPES.count("\n") + 4


def test_a_fragment_reports_the_lines_of_the_file() -> None:
    text = "void f(struct dev *dev) {\n\tlist_del(&dev->node);\n}\n"
    (function,) = functions_of(Image("a.c", text, whole=False, lines=(0, 120, 121)))
    (fact,) = facts_of(function, Structs([declarations_in(text)]))
    assert fact.line == 120


def test_parameters_keep_their_order() -> None:
    (function,) = functions_of(Image("a.c", "int f(struct a *a, int b[2],\n\tconst char *c, void (*d)(int))\n{\n}\n"))
    assert function.parameters[:3] == ("a", "b", "c")
