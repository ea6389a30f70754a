"""Whether a step is inside a section for certain, and what every way through a callee meets."""

from __future__ import annotations

from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.code.inside import opened, surely_meets
from bot.code.protection import WorldFacts
from bot.code.vocabulary import RCU
from bot.model import Image, World


def place_of(code: WorldFacts, function: str, call: str) -> tuple[Function, int]:
    found = code.by_name[function][0]
    return found, next(n for n, step in enumerate(found.flow.steps) if step.name == call)


def code_of(text: str) -> WorldFacts:
    return WorldFacts(World((Image("a.c", text),)))


def opened_at(text: str) -> bool:
    code = code_of(text)
    function, number = place_of(code, "f", "here")
    return opened(code, function, number, (RCU,)) is not None


def test_a_section_that_is_taken_in_sight_is_certain() -> None:
    assert opened_at("void f(void)\n{\n\trcu_read_lock();\n\tg();\n\there();\n}\n")


def test_a_guard_is_certain() -> None:
    assert opened_at("void f(void)\n{\n\tguard(rcu)();\n\there();\n}\n")


def test_a_call_that_sounds_like_an_unlock_makes_it_uncertain() -> None:
    assert not opened_at("void f(void)\n{\n\trcu_read_lock();\n\thub_unlock();\n\there();\n}\n")


def test_a_callee_that_unlocks_makes_it_uncertain() -> None:
    text = "void g(void)\n{\n\trcu_read_unlock();\n}\nvoid f(void)\n{\n\trcu_read_lock();\n\tg();\n\there();\n}\n"
    assert not opened_at(text)


def test_a_section_on_one_of_two_ways_is_none() -> None:
    assert not opened_at("void f(int a)\n{\n\tif (a)\n\t\trcu_read_lock();\n\there();\n}\n")


def meets(callee: str) -> bool:
    code = code_of(callee + "void f(void)\n{\n\tg();\n}\n")
    function, number = place_of(code, "f", "g")

    def wanted(inner: Function, place: int) -> bool:
        step = inner.flow.steps[place]
        return step.kind is StepKind.CALL and step.name == "there"

    return surely_meets(code, function, function.flow.steps[number], wanted) is not None


def test_every_way_through_a_callee_counts() -> None:
    assert meets("void g(int a)\n{\n\tif (a)\n\t\tthere();\n\telse\n\t\tthere();\n}\n")
    assert not meets("void g(int a)\n{\n\tif (a)\n\t\treturn;\n\tthere();\n}\n")


def test_the_callee_of_a_callee_counts() -> None:
    assert meets("void h(void)\n{\n\tthere();\n}\nvoid g(void)\n{\n\th();\n}\n")
