"""An expression names one object of the kernel: the struct that has the member, through every hop to it."""

from __future__ import annotations

import pytest

from bot.code.declarations import LOCAL, declarations_in, variables_in
from bot.code.spelling import tight
from bot.code.structs import GLOBAL, NOWHERE, UNKNOWN, Field, Key, Structs, object_of

TYPES = """\
struct inner { struct list_head list; struct dev *back; };
struct dev {
	struct list_head node, other; /* struct list_head lie; */
	struct inner inner;
	struct inner __rcu *ptr[4];
	union { struct list_head early; struct rcu_head rcu; };
	struct { struct list_head list; struct { struct dev *far; } deep; } anon;
	int (*callback)(struct dev *who, int what);
	struct hlist_head table[1 << (4 + 1)];
	struct mutex lock ____cacheline_aligned_in_smp;
	DECLARE_HASHTABLE(hash, 6);
};
struct hub { struct list_head node; struct dev devs[4]; };
typedef struct { struct list_head list; } pin_t;
static struct dev the_dev = { .node = LIST_HEAD_INIT(the_dev.node) };
static struct { struct list_head list; } registry = { };
static LIST_HEAD(all_devs);
static DEFINE_PER_CPU(struct dev, cpu_dev);
extern struct hub *find_hub(struct dev *dev);
#define OTHER struct dev {
static inline struct hub *hub_of(struct dev *dev)
{
	return container_of(dev, struct hub, devs[0]);
}
"""
FUNCTION = """\
static int f(struct dev *dev, struct hub *hub, pin_t *pin, struct list_head *given)
{
	struct dev *a, **many, copy;
	struct hub *h = find(dev, 1), *other;
	struct list_head stack;
	typeof(hub) twin = hub;
	LIST_HEAD(batch);
"""
STRUCTS = Structs([declarations_in(TYPES)])
VARIABLES = variables_in(FUNCTION)
ALIASES = {"head": "&dev->other", "alias": "hub->devs[0].inner.back", "loop": "loop2", "loop2": "loop"}


@pytest.mark.parametrize(
    ("expression", "owner", "member"),
    [
        ("&dev->node", "dev", "node"),
        ("&hub->node", "hub", "node"),
        ("&h->devs[i].node", "dev", "node"),
        ("&other->node", "hub", "node"),
        ("&twin->node", "hub", "node"),
        ("&copy.other", "dev", "other"),
        ("&(*many)->other", "dev", "other"),
        ("&dev->inner.list", "inner", "list"),
        ("&dev->inner.back->inner.back->node", "dev", "node"),
        ("dev->ptr[1]", "dev", "ptr"),
        ("&dev->ptr[1]->list", "inner", "list"),
        ("&dev->early", "dev", "early"),
        ("&dev->anon.list", "dev.anon", "list"),
        ("&dev->anon.deep.far->node", "dev", "node"),
        ("&dev->table[hash(a, b[0])]", "dev", "table"),
        ("dev->hash", "dev", "hash"),
        ("&pin->list", "pin_t", "list"),
        ("&the_dev.node", "dev", "node"),
        ("&registry.list", "registry", "list"),
        ("&all_devs", GLOBAL, "all_devs"),
        ("&this_cpu_ptr(&cpu_dev)->node", "dev", "node"),
        ("&per_cpu(cpu_dev, cpu).node", "dev", "node"),
        ("&container_of(x, struct dev, rcu)->node", "dev", "node"),
        ("&list_entry(p, struct dev, node)->inner.list", "inner", "list"),
        ("&list_first_entry(&x, typeof(*hub), node)->node", "hub", "node"),
        ("&((struct dev *)x)->node", "dev", "node"),
        ("((struct dev *)x)->ptr[0]", "dev", "ptr"),
        ("&rcu_dereference(dev->ptr[0])->back->node", "dev", "node"),
        ("&hub_of(dev)->node", "hub", "node"),
        ("&find_hub(dev)->node", "hub", "node"),
        ("head", "dev", "other"),
        ("&alias->node", "dev", "node"),
        ("&stack", LOCAL, "stack"),
        ("&batch", LOCAL, "batch"),
        ("&nobody->node", UNKNOWN, "node"),
        ("&dev->nothing->node", UNKNOWN, "node"),
        ("bucket(dev, 3)", "call", "bucket"),
    ],
)
def test_an_expression_names_its_object(expression: str, owner: str, member: str) -> None:
    assert STRUCTS.resolve(tight(expression), VARIABLES, ALIASES) == Key(owner, member)


@pytest.mark.parametrize("expression", ["", "0", "&", "(", "a + ", "given", "((((", "->x", "*" * 5000, "x" * 5000])
def test_what_names_nothing_known_is_nowhere(expression: str) -> None:
    assert STRUCTS.resolve(expression, VARIABLES, ALIASES) == NOWHERE


def test_aliases_that_go_in_circles_end() -> None:
    assert STRUCTS.resolve("&loop->node", VARIABLES, ALIASES) == Key(UNKNOWN, "node")


def test_every_parameter_and_declarator_has_its_type() -> None:
    assert {name: VARIABLES[name] for name in ("dev", "hub", "a", "many", "copy", "h", "other", "twin", "batch")} == {
        "dev": "dev",
        "hub": "hub",
        "a": "dev",
        "many": "dev",
        "copy": "dev",
        "h": "hub",
        "other": "hub",
        "twin": "hub",
        "batch": LOCAL,
    }


def test_comments_directives_and_arguments_of_callbacks_declare_nothing() -> None:
    declared = declarations_in(TYPES)
    assert "lie" not in declared.structs["dev"]
    assert "who" not in declared.structs["dev"]
    assert declared.structs["dev"]["callback"] == Field("")
    assert declared.structs["dev"]["lock"] == Field("mutex")
    assert set(declared.variables) == {"the_dev", "registry", "all_devs", "cpu_dev"}


def test_fields_marked_rcu_are_known_by_their_struct() -> None:
    assert STRUCTS.rcu_fields() == {Key("dev", "ptr")}


def test_a_plain_pointer_to_pointers_that_readers_follow_is_no_such_pointer() -> None:
    fields = declarations_in("struct hub { struct dev __rcu **many, __rcu *one; struct dev __rcu * *all; };").structs[
        "hub"
    ]
    assert {name for name, field in fields.items() if field.rcu} == {"one"}


def test_a_struct_after_a_broken_one_is_still_read() -> None:
    broken = "struct a { struct b {\n int x;\n}\nstruct c { struct list_head node; };\n"
    assert "node" in declarations_in(broken).structs["c"]


@pytest.mark.parametrize(
    ("expression", "holder"),
    [
        ("&dev->node", "dev"),
        ("&dev->group.node", "dev"),
        ("&a->b->node", "a->b"),
        ("&dev->anon.far->node", "dev->anon.far"),
        ("&x.node", "x"),
        ("x", "x"),
        ("&((struct dev*)x)->node", "x"),
        ("&to_dev(x)->node", "to_dev(x)"),
    ],
)
def test_the_object_that_a_member_is_part_of(expression: str, holder: str) -> None:
    assert object_of(expression) == holder
