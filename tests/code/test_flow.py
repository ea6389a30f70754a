"""Every construct of C leads where C says it does: branches, loops, jumps, and the ends of guards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.code.facts import Function, functions_of
from bot.code.flow import StepKind
from bot.code.fragment import GAP
from bot.model import Image


def function(body: str) -> Function:
    """A function of two pointers with this body."""
    (found,) = functions_of(Image("a.c", f"int f(struct a *a, struct a *b)\n{{\n{body}\n}}\n"))
    assert found.clean, body
    return found


def calls_before(found: Function, name: str) -> set[str]:
    """What may have been called when ``name`` is."""
    flow = found.flow
    (place,) = (n for n, step in enumerate(flow.steps) if step.kind is StepKind.CALL and step.name == name)
    return {flow.steps[n].name for n in flow.before(place) if flow.steps[n].kind is StepKind.CALL}


def paths(found: Function, number: int = 0, seen: tuple[int, ...] = ()) -> Iterator[list[str]]:
    """Every path through a function as the calls and returns on it; a loop is taken once at most."""
    flow = found.flow
    step = flow.steps[number]
    here = [step.name] if step.kind is StepKind.CALL else []
    if step.kind is StepKind.RETURN:
        here = [f"return {step.name}".strip()]
    following = [n for n in flow.next[number] if seen.count(n) < 1]
    if not following:
        yield here
    for n in following:
        for rest in paths(found, n, (*seen, number)):
            yield here + rest


def said(body: str) -> set[str]:
    return {" ".join(path) for path in paths(function(body))}


def test_an_if_goes_both_ways_and_an_else_only_one() -> None:
    assert said("if (a) x(); else y(); z();") == {"x z", "y z"}
    assert said("if (a) x(); z();") == {"x z", "z"}
    assert said("if (a) x(); else if (b) y(); z();") == {"x z", "y z", "z"}


def test_and_evaluates_its_right_side_only_where_the_left_is_true() -> None:
    assert said("if (l() && r()) x();") == {"l", "l r", "l r x"}
    assert said("if (!(l() && r())) x();") == {"l x", "l r x", "l r"}


def test_or_evaluates_its_right_side_only_where_the_left_is_false() -> None:
    assert said("if (l() || r()) x();") == {"l x", "l r x", "l r"}
    assert said("if (l() || r() || s()) x();") == {"l x", "l r x", "l r s x", "l r s"}


def test_a_choice_evaluates_one_of_its_two() -> None:
    assert said("v = c() ? x() : y();") == {"c x", "c y"}
    assert said("v = l() && r();") == {"l", "l r"}
    assert said("v = c() ?: y(); z();") == {"c z", "c y z"}


def test_a_path_carries_each_condition_without_its_negation() -> None:
    found = function("if (!a || b == NULL || unlikely(!a->x)) return 1;\nif (0 != a->y) x();")
    assumed = [(step.name, step.truth) for step in found.flow.steps if step.kind is StepKind.ASSUME]
    assert {name for name, _ in assumed} == {"a", "b", "a->x", "a->y"}
    (early,) = (n for n, step in enumerate(found.flow.steps) if step.kind is StepKind.RETURN)
    assert {(found.flow.steps[n].name, found.flow.steps[n].truth) for n in found.flow.previous[early]} == {
        ("a", False),
        ("b", False),
        ("a->x", False),
    }


def test_an_assignment_in_a_condition_is_asked_by_its_variable() -> None:
    found = function("if ((b = get()) == NULL) return 1;\nuse(b);")
    assert ("b", True) in {(s.name, s.truth) for s in found.flow.steps if s.kind is StepKind.ASSUME}
    assert next(step.target for step in found.flow.steps if step.name == "get") == "b"


def test_arguments_are_evaluated_before_the_call_and_calls_before_the_assignment() -> None:
    steps = [s.name for s in function("v = f(g(h()), k());").flow.steps if s.kind is not StepKind.JOIN]
    assert steps == ["h", "g", "k", "f", "v"]


def test_loops_run_not_at_all_or_again() -> None:
    loop = function("while (c()) x(); z();")
    assert calls_before(loop, "c") == {"c", "x"}
    assert calls_before(loop, "z") == {"c", "x"}


def test_an_endless_loop_is_left_by_break_alone() -> None:
    found = function("for (;;) { x(); if (a) break; y(); }\nz();")
    assert calls_before(found, "z") == {"x", "y"}
    (last,) = (n for n, step in enumerate(found.flow.steps) if step.name == "z")
    assert all(found.flow.steps[n].name == "a" for n in found.flow.previous[last])
    dead = function("while (1) { x(); }\nz();")
    assert calls_before(dead, "z") == set()


def test_a_for_loop_updates_after_continue_too() -> None:
    assert calls_before(function("for (i = start(); more(i); i = step(i)) { if (a) continue; x(); }"), "step") == {
        "start",
        "more",
        "step",
        "x",
    }


def test_do_while_runs_its_body_first_and_do_while_zero_once() -> None:
    assert said("do { x(); } while (0); z();") == {"x z"}
    assert calls_before(function("do { if (a) break; x(); } while (c()); z();"), "c") == {"c", "x"}


def test_an_iterator_macro_is_walked_turn_by_turn_also_inside_another() -> None:
    found = function(
        "list_for_each_entry(p, &a->outer, node)\n"
        "\tlist_for_each_entry_rcu(q, &p->inner, node)\n\t\tif (same(q))\n\t\t\tbreak;\nz();"
    )
    walks = [step for step in found.flow.steps if step.kind is StepKind.WALK]
    assert [(walk.name, walk.args) for walk in walks] == [
        ("list_for_each_entry", ("p", "&a->outer", "node")),
        ("list_for_each_entry_rcu", ("q", "&p->inner", "node")),
    ]
    outer, inner = (found.flow.steps.index(walk) for walk in walks)
    assert {outer, inner} <= set(found.flow.after(inner))
    assert outer in found.flow.previous[inner]


def test_a_switch_falls_through_and_skips_without_default() -> None:
    assert said("switch (a->k) { case 1: x(); case 2: y(); break; case 3: w(); }\nz();") == {"x y z", "y z", "w z", "z"}
    assert said("switch (a->k) { case 1: x(); break; default: y(); }\nz();") == {"x z", "y z"}
    assert said("switch (a->k) { case 1 ... 5: x(); return 1; }\nz();") == {"x return 1", "z"}


def test_continue_in_a_switch_is_the_loops() -> None:
    found = function("while (c()) { switch (a->k) { case 1: continue; case 2: break; } x(); }")
    assert calls_before(found, "x") == {"c", "x"}
    assert said("switch (a->k) { default: x(); break; y(); }") == {"x"}


def test_goto_reaches_its_label_forward_and_back() -> None:
    assert said("if (a) goto out; x();\nout: z();") == {"z", "x z"}
    assert calls_before(function("again: x(); if (c()) goto again; z();"), "x") == {"x", "c"}
    assert said("goto in; while (a) { x();\nin: y(); return 1; }") == {"y return 1"}


def test_nothing_comes_after_a_return_or_a_bug() -> None:
    assert said("if (a) { x(); return 1; } BUG(); z();") == {"x return 1", "BUG"}


def test_a_macro_that_jumps_reaches_its_label() -> None:
    assert "fix" in " ".join(said("unsafe_get_user(v, a->p, fault);\nreturn 0;\nfault: fix(); return 1;"))


@pytest.mark.parametrize(
    ("leave", "after"),
    [
        ("return 1;", "guard guard_exit return 1"),
        ("goto out;", "guard guard_exit out"),
        ("x();", "guard x guard_exit out"),
    ],
)
def test_a_guard_is_dropped_however_its_block_is_left(leave: str, after: str) -> None:
    assert said(f"{{ guard(mutex)(&a->lock); {leave} }}\nout: out();") == {after}
    assert said(f"scoped_guard(mutex, &a->lock) {{ {leave} }}\nout: out();") == {after}


def test_break_leaves_a_scoped_guard_and_no_more() -> None:
    assert said("scoped_guard(rcu) { if (a) break; x(); }\nz();") == {
        "guard guard_exit z",
        "guard x guard_exit z",
    }


def test_guards_are_dropped_in_reverse_and_a_goto_inside_the_block_drops_none() -> None:
    found = function("guard(mutex)(&a->l); guard(rcu)(); if (a) goto again;\nagain: x(); return 0;")
    drops = [step.args[0] for step in found.flow.steps if step.name == "guard_exit"]
    assert drops == ["rcu", "mutex"]


def test_a_guard_that_may_fail_knows_its_lock() -> None:
    found = function("scoped_cond_guard(mutex_intr, return -EINTR, &a->lock) { x(); }\nz();")
    assert next(step.args for step in found.flow.steps if step.name == "guard") == ("mutex_intr", "&a->lock")


def test_a_statement_expression_has_steps_of_its_own() -> None:
    assert said("v = ({ x(); if (a) y(); b->z; }); z();") == {"x z", "x y z"}


def test_calls_inside_macro_arguments_are_seen_with_the_types_that_stand_there() -> None:
    found = function("WRITE_ONCE(a->x, max(g(b), h(list_first_entry(&a->l, struct b, node))));")
    entry = next(step for step in found.flow.steps if step.name == "list_first_entry")
    assert entry.args == ("&a->l", "struct b", "node")
    assert {"g", "h", "max", "WRITE_ONCE"} <= {step.name for step in found.flow.steps}


def test_pointers_followed_in_conditions_and_increments_are_told() -> None:
    found = function("if (a->dead) return 1;\nb->count++;\nswitch (a->k) { }\nreturn *b;")
    uses = [(step.line, sorted(step.uses)) for step in found.flow.steps if step.uses]
    assert uses == [(3, ["a"]), (4, ["b"]), (5, ["a"]), (6, ["b"])]


def test_lines_out_of_sight_are_a_gap_that_leads_to_labels_and_cases() -> None:
    found = function(f"/* {GAP} */\nreturn 0;\ncase 3: x(); return 1;\nout: z(); return 2;")
    assert found.flow.has_gap
    assert {found.flow.steps[n].name for n in found.flow.after(1)} >= {"x", "z"}


def test_a_return_whose_condition_is_out_of_sight_does_not_end_the_function() -> None:
    found = function(f"/* {GAP} */\nreturn 0;\nx();\nreturn 1;\ny();")
    assert {found.flow.steps[n].name for n in found.flow.after(0)} >= {"x", "y"}


def test_what_a_return_follows_is_followed_before_the_guards_are_dropped() -> None:
    found = function("guard(rcu)();\nreturn a->b;")
    used = next(n for n, step in enumerate(found.flow.steps) if "a" in step.uses)
    assert found.flow.steps[used].code == "return a->b;"
    assert "guard_exit" in {found.flow.steps[n].name for n in found.flow.after(used)}


def test_code_behind_a_return_in_sight_is_dead() -> None:
    found = function("return 0;\nx();")
    assert "x" not in {found.flow.steps[n].name for n in found.flow.after(0)}


def test_code_in_the_first_branch_of_an_if_directive_is_the_code() -> None:
    assert said("#ifdef A\nif (a) {\n#else\nif (b) {\n#endif\nx();\n}\nz();") == {"x z", "z"}


def test_an_address_is_not_followed() -> None:
    steps = function("x = &p->list; y = &a->b->c; z = &q[i].node; w = p->list.next;").flow.steps
    uses = {step.name: step.uses for step in steps if step.kind is StepKind.ASSIGN}
    assert uses == {"x": frozenset(), "y": frozenset({"a"}), "z": frozenset(), "w": frozenset({"p"})}
