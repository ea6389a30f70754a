"""Which SRCU domain an expression names."""

from __future__ import annotations

from bot.code.protection import WorldFacts
from bot.code.srcu import Domain, domain_of, read_at, waited_for
from bot.code.structs import Key
from bot.model import Image, World

CODE = """\
struct hub { struct srcu_struct srcu; struct srcu_struct irq_srcu; };
struct port { struct hub *hub; };

void f(struct port *port, struct hub *hub, struct hub *other, struct srcu_struct *ssp)
{
	int idx = srcu_read_lock(&hub->srcu);

	synchronize_srcu(&port->hub->srcu);
	srcu_read_unlock(&hub->srcu, idx);
}
"""


def world() -> WorldFacts:
    return WorldFacts(World((Image("a.c", CODE),)))


def domain(spelled: str) -> Domain:
    code = world()
    return domain_of(code, code.by_name["f"][0], spelled)


def test_two_spellings_of_one_holder_are_the_same() -> None:
    assert domain("&hub->srcu").same(domain("&port->hub->srcu"))


def test_two_objects_of_a_struct_may_be_two_domains() -> None:
    assert not domain("&hub->srcu").same(domain("&other->srcu"))
    assert domain("&hub->srcu").same_field(domain("&other->srcu"))


def test_two_fields_differ() -> None:
    assert domain("&hub->srcu").differs(domain("&hub->irq_srcu"))


def test_a_parameter_is_neither_the_same_nor_another() -> None:
    assert not domain("ssp").same(domain("&hub->srcu"))
    assert not domain("ssp").differs(domain("&hub->srcu"))


def test_what_a_step_reads_and_waits_for() -> None:
    code = world()
    function = code.by_name["f"][0]
    number = next(n for n, step in enumerate(function.flow.steps) if step.name == "synchronize_srcu")
    waited = waited_for(code, function, function.flow.steps[number])
    assert waited is not None
    assert waited.key == Key("hub", "srcu")
    assert [read.key for read, _ in read_at(code, function, number)] == [Key("hub", "srcu")]
