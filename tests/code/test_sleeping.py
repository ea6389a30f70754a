"""Whether a callee sleeps: on every way, on some way, and when its caller says so."""

from __future__ import annotations

import pytest

from bot.code.protection import WorldFacts
from bot.code.sleeping import always_sleeps, may_sleep
from bot.code.world import OTHER_STATE
from bot.model import Image, World

INNER = "static void inner(struct hub *hub)\n{\n\tmutex_lock(&hub->lock);\n\tmutex_unlock(&hub->lock);\n}\n"


def sleeps(callee: str, call: str = "outer(hub)") -> tuple[bool, bool]:
    """Whether ``outer`` sleeps always, and perhaps."""
    outer = f"static void outer(struct hub *hub, bool wait)\n{{\n{callee}\n}}\n"
    text = f"{INNER}{outer}void f(struct hub *hub)\n{{\n{call};\n}}\n"
    code = WorldFacts(World((Image("a.c", text),)))
    function = code.functions[-1]
    step = next(step for step in function.flow.steps if step.name == "outer")
    return always_sleeps(code, function, step) is not None, may_sleep(code, function, step) is not None


def test_a_callee_of_a_callee_sleeps() -> None:
    assert sleeps("inner(hub);") == (True, True)


def test_one_way_of_two_may_sleep() -> None:
    assert sleeps("if (hub->busy)\n\tinner(hub);") == (False, True)


def test_the_section_may_be_left_first() -> None:
    assert sleeps("rcu_read_unlock();\ninner(hub);\nrcu_read_lock();") == (False, False)


@pytest.mark.parametrize(("argument", "expected"), [("true", True), ("1", True), ("false", False), ("maybe", False)])
def test_a_flag_counts_where_its_value_is_known(argument: str, expected: bool) -> None:
    assert sleeps("if (wait)\n\tinner(hub);", f"outer(hub, {argument})") == (False, expected)


def test_a_function_that_asks_where_it_runs_is_believed() -> None:
    assert sleeps("if (!in_atomic())\n\tinner(hub);") == (False, False)


def test_whether_an_rcu_pointer_is_set_says_nothing_of_where_a_function_runs() -> None:
    assert sleeps("if (rcu_access_pointer(hub->stats))\n\tinner(hub);") == (False, True)
    assert sleeps("if (rcu_read_lock_held())\n\tinner(hub);") == (False, False)
    assert sleeps("if (!rcu_read_lock_held())\n\tinner(hub);") == (False, False)


def test_a_function_that_the_hunks_do_not_show_is_read_in_the_state_that_the_tree_has() -> None:
    shown = "void f(struct hub *hub)\n{\n\touter(hub);\n}\n"
    held = f"{INNER}static void outer(struct hub *hub)\n{{\n\tinner(hub);\n}}\n"
    code = WorldFacts(World((Image("a.c", shown), Image("a.c" + OTHER_STATE, held))))
    function = next(function for function in code.functions if function.name == "f")
    sleep = next(filter(None, (may_sleep(code, function, step) for step in function.flow.steps)), None)
    assert sleep is not None
    assert sleep.name == "mutex_lock"


def test_a_function_that_the_hunks_show_is_not_looked_up_elsewhere() -> None:
    shown = "static void outer(struct hub *hub)\n{\n}\n\nvoid f(struct hub *hub)\n{\n\touter(hub);\n}\n"
    held = f"{INNER}static void outer(struct hub *hub)\n{{\n\tinner(hub);\n}}\n"
    code = WorldFacts(World((Image("a.c", shown), Image("a.c" + OTHER_STATE, held))))
    function = next(function for function in code.functions if function.name == "f")
    assert all(may_sleep(code, function, step) is None for step in function.flow.steps)
