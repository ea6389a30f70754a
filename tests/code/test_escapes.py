"""What gets out of a section: by return value, through callees, and where the diff ends."""

from __future__ import annotations

from bot.code.escapes import finds, followed_outside, given_out, handed_on, lost_sight
from bot.code.facts import Function
from bot.code.fragment import GAP
from bot.code.protection import WorldFacts
from bot.model import Image, World

LOOKUP = "static struct g *find(int id)\n{\n\treturn xa_load(&all, id);\n}\n"


def code_of(text: str) -> WorldFacts:
    return WorldFacts(World((Image("a.c", text),)))


def last_of(code: WorldFacts) -> Function:
    return code.functions[-1]


def finds_in(callee: str) -> bool:
    code = code_of(callee + "static void f(void)\n{\n\tstruct g *g = find(1);\n}\n")
    function = last_of(code)
    return any(finds(code, function, step) for step in function.flow.steps if step.name == "find")


def body(*lines: str, kind: str = "struct g *") -> str:
    inner = "".join(f"\t{line}\n" for line in ("struct g *g;", "rcu_read_lock();", *lines))
    return f"static {kind}f(struct g **out)\n{{\n{inner}}}\n"


def test_a_callee_that_returns_what_it_loads_is_a_lookup() -> None:
    assert finds_in(LOOKUP)


def test_a_callee_that_tries_to_take_a_reference_is_none() -> None:
    assert not finds_in(
        "static struct g *find(int id)\n{\n\tstruct g *g = xa_load(&all, id);\n"
        "\tif (g && !refcount_inc_not_zero(&g->refs))\n\t\treturn NULL;\n\treturn g;\n}\n"
    )


def test_a_callee_that_returns_a_number_is_none() -> None:
    assert not finds_in("static int find(int id)\n{\n\tstruct g *g = xa_load(&all, id);\n\treturn g->n;\n}\n")


def test_what_a_callee_found_is_followed_too_late() -> None:
    code = code_of(LOOKUP + body("g = find(1);", "rcu_read_unlock();", "return g->next;"))
    assert list(followed_outside(code, last_of(code)))


def test_a_pointer_that_equals_another_is_kept_by_that_one() -> None:
    code = code_of(body("g = xa_load(&all, 1);", "rcu_read_unlock();", "if (g == *out)", "\treturn g->next;"))
    assert not list(followed_outside(code, last_of(code)))


def test_a_lock_taken_by_a_helper_may_protect_what_follows() -> None:
    code = code_of(body("g = xa_load(&all, 1);", "rcu_read_unlock();", "hub_lock(1);", "return g->next;"))
    assert not list(followed_outside(code, last_of(code)))


def test_pages_are_never_freed_under_a_reader() -> None:
    code = code_of(body("g = xa_load(&all, 1);", "rcu_read_unlock();", "get_it(&g->x);").replace("g *g;", "page *g;"))
    assert not list(followed_outside(code, last_of(code)))


def test_a_callee_in_sight_says_whether_it_follows_its_argument() -> None:
    reads = "static void show(struct g *g)\n{\n\tprint(g->name);\n}\n"
    compares = "static void show(struct g *g)\n{\n\tprint(g == last);\n}\n"
    call = body("g = xa_load(&all, 1);", "rcu_read_unlock();", "show(g);", kind="void ")
    for callee, expected in ((reads, True), (compares, False)):
        code = code_of(callee + call)
        assert bool(list(handed_on(code, last_of(code)))) is expected


def test_an_output_parameter_carries_a_pointer_out() -> None:
    code = code_of(body("g = xa_load(&all, 1);", "*out = g;", "rcu_read_unlock();", "return 0;", kind="int "))
    assert list(given_out(code, last_of(code)))


def test_a_section_that_only_finds_is_asked_about_where_the_rest_is_out_of_sight() -> None:
    hidden = f"/* {GAP} */"
    code = code_of(LOOKUP + body("g = find(1);", "rcu_read_unlock();", hidden))
    assert list(lost_sight(code, last_of(code)))
    code = code_of(LOOKUP + body("g = find(1);", "n = g->n;", "rcu_read_unlock();", hidden))
    assert not list(lost_sight(code, last_of(code)))
