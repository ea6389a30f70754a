"""No text is an error, and none costs more than its length: reading it ends, with facts or without."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.code.facts import FactKind, functions_of
from bot.code.flow import StepKind
from bot.code.lifetime import Lifetime
from bot.code.prepass import prepare
from bot.code.protection import WorldFacts
from bot.code.syntax import parse
from bot.model import Image, World

SEED = """\
struct dev { struct list_head node; struct { int x; } inner; struct dev __rcu *next; };
static LIST_HEAD(devs);
#ifdef CONFIG_A
static DEFINE_MUTEX(lock);
#endif
static int find(struct dev *dev, unsigned long id) __must_hold(&lock)
{
	struct dev *d = NULL, *t; /* a comment */
	int r = mutex_lock_interruptible(&lock);

	if (r)
		return r;
	scoped_guard(srcu, &dev->srcu) {
		list_for_each_entry_safe(d, t, &devs, node) {
			if (d->inner.x == id && !d->dead) {
				list_del_rcu(&d->node);
				goto out;
			} else if (d->next ? c(d) : f(({ x(d); 1; })))
				break;
		}
	}
	switch (id) {
	case 1 ... 4: rcu_assign_pointer(dev->next, t); fallthrough;
	default: kfree(d);
	}
	do { asm volatile("nop" ::: "memory"); } while (0);
out:
	mutex_unlock(&lock);
	synchronize_rcu();
	return container_of(d, struct dev, node)->inner.x;
}
"""
PIECES = [
    *"(){}[];,*&!?:<>=+-/.#\\\"'\n\t 0a_",
    *[
        "->",
        "...",
        "/*",
        "*/",
        "//",
        "&&",
        "||",
        "({",
        "})",
        "break;",
        "return",
        "case",
        "default:",
        "x:",
        "1;",
        "goto",
    ],
    *(
        "if (",
        "else ",
        "while (",
        "for (",
        "do ",
        "switch (",
        "goto x;",
        "struct a ",
        "struct a {",
        "typedef ",
        "union {",
    ),
    *("guard(rcu)();", "scoped_guard(mutex, &x) ", "list_for_each_entry_rcu(a, &b, c) ", "list_add(&a->b, &c->d);"),
    *("rcu_dereference(", "container_of(a, struct b, c)", "#if 0\n", "#ifdef A\n", "#else\n", "#endif\n", "asm goto("),
    *("#define x \\\n", "__attribute__((", "DEFINE_PER_CPU(", "sizeof(", "typeof(*a) ", "int f(void)\n{\n", "\n}\n"),
    *("rcu_read_lock();", "rcu_read_unlock();", "\x00", "\x0c", "\udcff", "\ud800", "é"),
]
settled = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def read(text: str) -> WorldFacts:
    """Everything that can be asked of a text."""
    code = WorldFacts(World((Image("a.c", text),)))
    lifetime = Lifetime(code)
    for function in code.functions:
        assert len(function.flow.steps) == len(function.held) == len(function.flow.next)
        assert all(0 <= n < len(function.flow.steps) for links in function.flow.next for n in links)
        code.callers(function)
        assert function.parameters is not None
    for protection in code.lists.values():
        for fact in protection.of(FactKind.UNLINK)[:20]:
            protection.published(fact)
            lifetime.private(fact.where, fact)
            lifetime.excuse(fact.where, fact)
            list(lifetime.freed(fact.where, fact.step, fact.variable))
    assert code.pointers is not None
    return code


@given(st.text())
@settled
def test_any_text_can_be_read(text: str) -> None:
    read(text)


@given(st.binary())
@settled
def test_the_pre_pass_keeps_length_and_newlines_of_any_bytes(data: bytes) -> None:
    prepared = prepare(data)
    assert len(prepared) == len(data)
    assert [n for n, byte in enumerate(prepared) if byte == 10] == [n for n, byte in enumerate(data) if byte == 10]


@given(st.lists(st.sampled_from(PIECES), max_size=120).map("".join))
@settled
def test_any_heap_of_c_can_be_read(heap: str) -> None:
    read(heap)
    read(f"int f(struct a *a)\n{{\n{heap}\n}}\n")


@given(st.randoms(use_true_random=False), st.integers(1, 12))
@settled
def test_c_with_pieces_cut_out_doubled_or_put_in_can_be_read(luck: random.Random, times: int) -> None:
    text = SEED
    for _ in range(times):
        start = luck.randrange(len(text))
        end = min(len(text), start + luck.randrange(40))
        text = (
            luck.choice(
                (
                    text[:start] + text[end:],
                    text[:end] + text[start:],
                    text[:start] + luck.choice(PIECES) + text[start:],
                    text[:start],
                )
            )
            or SEED
        )
    read(text)


N = 10_000
DEEP = {
    "parentheses": "x = " + "(" * N + "1" + ")" * N + ";",
    "calls": "x = " + "f(" * N + "1" + ")" * N + ";",
    "blocks": "{" * N + "rcu_read_lock();" + "}" * N,
    "open blocks": "{" * N,
    "else if": "if (a) b();\n" + "else if (a) list_del(&p->l);\n" * N,
    "if": "if (a) " * N + ";",
    "loops": "list_for_each_entry(x, &h, l) {\n" * N + "}\n" * N,
    "choices": "x = " + "a ? b : " * N + "c;",
    "and": "if (" + " && ".join(["a->b"] * N) + ") x();",
    "not": "if (" + "!" * N + "x) y();",
    "statement expressions": "x = " + "({ " * N + "1;" + " })" * N + ";",
    "loops in arguments": "for_each_x(({ " * N + "1" + "}))" * N + " x;",
    "casts": "list_del(" + "(struct x *)" * N + "a);",
    "members": "list_del(&a" + "->b" * N + ");",
    "indexes": "list_del(&a" + "[" * N + "]" * N + "->n);",
    "containers": "list_del(&" + "container_of(" * N + "a" + ", struct b, c)->d" * N + ");",
    "aliases": "".join(f"struct list_head *a{n} = a{n + 1}; list_del(a{n});\n" for n in range(N)),
    "open comments": "/* " * N * 10,
    "open comments in a directive": "#if /* " + "/* " * N * 10,
    "open strings": '"' * N * 10,
    "directives": "#if 1\n" * N + "x();\n" + "#endif\n" * N,
    "cases": "switch (x) {\n" + "".join(f"case {n}: rcu_read_lock();\n" for n in range(N)) + "}",
    "gotos": "".join(f"l{n}: if (x) goto l{(n * 7) % N}; mutex_lock(&m{n % 60});\n" for n in range(N)),
    "guards": "guard(mutex)(&m);\n" * 2000 + "if (x) return 1;\n" * 2000,
    "states": "".join(f"if (x{n}) mutex_lock(&m{n % 40}); if (y) mutex_unlock(&m{n * 3 % 40});\n" for n in range(2000)),
    "lines": "\tlist_add_rcu(&p->l, &head);\n\tif (x)\n\t\tgoto out;\n" * 33_000 + "out:\n\treturn 0;",
    "one line": "list_add(&p->l, &head); if (x) y = z->w;" * 25_000,
    "one statement": "x = " + " + ".join(["f(a, b)"] * 50_000) + ";",
}


@pytest.mark.parametrize("body", DEEP.values(), ids=DEEP.keys())
def test_no_depth_and_no_length_is_too_much(body: str) -> None:
    read(f"struct s {{ struct list_head l; }};\nint f(struct s *p)\n{{\n{body}\n}}\n")


@pytest.mark.parametrize(
    "text",
    [
        "struct a {\n" + "struct {\n" * N + "int x;\n" + "};\n" * N + "};\n",
        "struct a {\n" + "struct b {\n" * N + "int x;\n" + "} b;\n" * N + "};\n",
        "struct a {\n" * N,
        "struct a {\nint " + ",".join(["x"] * N * 5) + ";\n};\n",
        "int f(" + ",".join(f"struct a *p{n}" for n in range(N)) + ")\n{\n\tlist_del(&p1->l);\n}\n",
        "int " + "(" * N + "f" + ")" * N + "(int a)\n{\n}\n",
        "struct a x = " + "{" * N + "}" * N + ";\n",
        "DEFINE_X(" * N + ")" * N + "\n",
        "f(" * N,
        "a " * N * 3,
    ],
    ids=[
        "nameless structs",
        "structs",
        "open structs",
        "fields",
        "parameters",
        "declarators",
        "values",
        "macros",
        "f(",
        "a",
    ],
)
def test_declarations_of_any_depth_and_length_can_be_read(text: str) -> None:
    read(text)


def test_what_is_nested_too_deep_is_a_gap_and_the_rest_is_read() -> None:
    (function,) = functions_of(Image("a.c", "void f(void)\n{\n" + "{" * 300 + "x();" + "}" * 300 + "\ny();\n}\n"))
    assert function.flow.has_gap
    calls = [step.name for step in function.flow.steps if step.kind is StepKind.CALL]
    assert calls == ["y"]


def test_a_function_beyond_all_length_is_read_so_far() -> None:
    (function,) = functions_of(Image("a.c", "void f(void)\n{\n" + "\tx();\n" * 20_000 + "}\n"))
    assert function.flow.steps[-1].kind is StepKind.GAP
    assert 5000 < len(function.flow.steps) < 10_000


def test_a_text_beyond_4_mb_is_read_so_far() -> None:
    source = parse("int f(void)\n{\n}\n" + "#define A 1\n" * 400_000)
    assert len(source.original) == len(source.prepared) == 4_000_000
    assert not source.root.has_error
