"""A file in pieces says what the whole file says; what did not change is worked out once, and an error stays alone."""

from __future__ import annotations

import pytest

from bot.code.declarations import declarations_in
from bot.code.facts import functions_of
from bot.code.pieces import cut
from bot.code.remembered import Remembered
from bot.code.syntax import function_name, functions, parse
from bot.model import Image

FILE = """\
#ifndef HUB_H
#define HUB_H
#define hub_sync() synchronize_rcu()
struct hub {
	struct list_head gadgets; /* of struct gadget {
}
*/
	struct gadget __rcu *first;
	int one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen;
};
static LIST_HEAD(hubs);

/* Waits, with the lock of the hub held. */
static void hub_wait(struct hub *hub)
{
	if (hub->first) {
		pr_info("}\\n");
		hub_sync();
	}
	list_del_rcu(&hub->first->node);
	one(hub); two(hub); three(hub); four(hub); five(hub); six(hub); seven(hub); eight(hub); nine(hub); ten(hub);
	one(hub); two(hub); three(hub); four(hub); five(hub); six(hub); seven(hub); eight(hub); nine(hub); ten(hub);
}
EXPORT_SYMBOL_GPL(hub_wait);

#ifdef CONFIG_HUB
static int hub_count(struct hub *hub)
{
#ifdef CONFIG_FAST
	return hub->fast;
#else
	return hub->slow;
#endif
	one(hub); two(hub); three(hub); four(hub); five(hub); six(hub); seven(hub); eight(hub); nine(hub); ten(hub);
	one(hub); two(hub); three(hub); four(hub); five(hub); six(hub); seven(hub); eight(hub); nine(hub); ten(hub);
}

static int hub_sum(struct hub *hub)
{
	one(hub); two(hub); three(hub); four(hub); five(hub); six(hub); seven(hub); eight(hub); nine(hub); ten(hub);
	one(hub); two(hub); three(hub); four(hub); five(hub); six(hub); seven(hub); eight(hub); nine(hub); ten(hub);
	return hub_count(hub) + 1; /* never
} */
}
#else
static int hub_count(struct hub *hub)
{
	return 0;
}
#endif
#endif
"""
BROKEN = "static int broken(struct hub *hub)\n{\n\tif (hub->first {\n\t\tkfree(hub;\n\t}\n" + "\tx(;\n" * 50 + "}\n\n"


def test_pieces_have_the_functions_and_the_declarations_of_the_whole() -> None:
    whole = parse(FILE)
    assert not whole.root.has_error
    nodes = list(functions(whole))
    found = functions_of(Image("hub.c", FILE))
    assert len(cut(FILE).pieces) > 3
    assert [f.name for f in found] == [function_name(whole, node) for node in nodes]
    assert [f.text for f in found] == [whole.text(node) for node in nodes]
    assert [f.line for f in found] == [node.start_point.row + 1 for node in nodes]
    assert all(f.clean for f in found)
    assert cut(FILE).declarations == declarations_in(FILE)


def test_a_macro_that_stands_for_another_name_does_so_in_all_pieces() -> None:
    (wait, *_) = functions_of(Image("hub.c", FILE))
    assert "synchronize_rcu" in [step.name for step in wait.flow.steps]


def test_what_did_not_change_is_worked_out_once() -> None:
    before = functions_of(Image("hub.c", FILE))
    after = functions_of(Image("hub.c", FILE.replace("+ 1", "+ 2").replace("#define HUB_H\n", "#define HUB_H\n\n")))
    assert [a.name for a, b in zip(after, before, strict=True) if a.definition is not b.definition] == ["hub_sum"]
    assert [a.line - b.line for a, b in zip(after, before, strict=True)] == [1] * len(before)


@pytest.mark.parametrize("place", ["static void hub_wait", "#ifdef CONFIG_HUB"])
def test_an_error_in_one_function_hides_no_other(place: str) -> None:
    broken = FILE.replace(place, BROKEN + place)
    names = [f.name for f in functions_of(Image("hub.c", broken)) if f.name != "broken"]
    assert names == [f.name for f in functions_of(Image("hub.c", FILE))]


@pytest.mark.parametrize("crumb", ["{\n}\n", "}\n", "{\n", "/*\n}\n*/"])
def test_a_text_of_nothing_but_braces_does_not_fall_into_crumbs(crumb: str) -> None:
    text = crumb * 50_000
    assert len(cut(text).pieces) <= len(text) // 200 + 1


def test_the_memory_forgets_what_was_not_asked_for_longest() -> None:
    memory: Remembered[str] = Remembered(10)
    for key in "abc":
        memory.put(key, key.upper(), 4)
    assert memory.get("a") is None
    assert memory.get("b") == "B"
    memory.put("d", "D", 4)
    assert [memory.get(key) for key in "bcd"] == ["B", None, "D"]
    assert memory.of("e", 100, lambda: "E") == "E"
    assert [memory.get(key) for key in "bde"] == [None, None, "E"]
    assert memory.of("e", 100, lambda: "other") == "E"
