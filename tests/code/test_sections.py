"""What is held at each step: on every path, on some, dropped by another spelling, tried, asserted by the caller."""

from __future__ import annotations

import pytest

from bot.code import vocabulary as words
from bot.code.facts import Function, functions_of
from bot.code.sections import Held, Lock, same_domain
from bot.model import Image

ALL = words.READ_SIDE | words.ATOMIC | {words.MUTEX, words.RWSEM, words.ASSERTED}


def function(body: str) -> Function:
    (found,) = functions_of(Image("a.c", f"int f(struct a *a, struct a *b)\n{{\n{body}\n}}\n"))
    assert found.clean, body
    return found


def at(body: str, name: str = "here") -> Held:
    """What is held where ``name`` is called."""
    found = function(body)
    (place,) = (n for n, step in enumerate(found.flow.steps) if step.name == name)
    return found.held[place]


def always(body: str, name: str = "here") -> list[str]:
    return [f"{lock.kind} {lock.what}".strip() for lock in at(body, name).always(ALL)]


def ever(body: str, name: str = "here") -> list[str]:
    return [f"{lock.kind} {lock.what}".strip() for lock in at(body, name).ever(ALL)]


def test_a_section_holds_from_its_lock_to_its_unlock() -> None:
    body = "first(); rcu_read_lock(); here(); rcu_read_unlock(); last();"
    assert always(body) == ["rcu"]
    assert at(body).reading
    assert always(body, "first") == ever(body, "last") == []


def test_a_lock_of_one_branch_is_held_at_times() -> None:
    body = "if (a) mutex_lock(&a->m);\nhere();"
    assert always(body) == []
    assert ever(body) == ["mutex &a->m"]


def test_nested_sections_end_with_the_outermost() -> None:
    assert always("rcu_read_lock(); rcu_read_lock(); rcu_read_unlock(); here();") == ["rcu"]


def test_a_loop_that_drops_and_retakes_holds_all_the_while() -> None:
    body = "spin_lock(&a->l); while (c()) { spin_unlock(&a->l); relax(); spin_lock(&a->l); } here();"
    assert always(body) == ["spin &a->l"]
    assert ever(body, "relax") == []


def test_a_loop_that_never_unlocks_ends() -> None:
    body = "while (c()) { rcu_read_lock(); } here();"
    assert ever(body) == ["rcu"]
    assert always(body) == []


def test_another_spelling_of_the_lock_drops_it_when_it_is_the_only_one() -> None:
    assert always("mutex_lock(&a->kvm->lock); mutex_unlock(&kvm->lock); here();") == []
    assert always("mutex_lock(&a->l); mutex_lock(&b->l); mutex_unlock(&b->l); here();") == ["mutex &a->l"]


def test_srcu_domains_are_told_apart() -> None:
    body = "i = srcu_read_lock(&a->srcu); j = srcu_read_lock(&b->irq_srcu); srcu_read_unlock(&a->srcu, i); here();"
    assert always(body) == ["srcu &b->irq_srcu"]
    (lock,) = at(body).always({words.SRCU})
    assert same_domain(lock, "&kvm->irq_srcu")
    assert not same_domain(lock, "&kvm->srcu")
    assert not same_domain(Lock(words.RCU), "&kvm->srcu")


def test_a_vcpu_section_is_one_of_its_machine() -> None:
    assert always("kvm_vcpu_srcu_read_lock(a); here();") == ["srcu &a->kvm->srcu"]


def test_guards_hold_to_the_end_of_their_block() -> None:
    assert always("{ guard(srcu)(&a->srcu); here(); } last();") == ["srcu &a->srcu"]
    assert ever("{ guard(srcu)(&a->srcu); here(); } last();", "last") == []
    assert always("scoped_guard(spinlock_irqsave, &a->l) here();") == ["spin &a->l"]
    assert ever("scoped_guard(rcu) { if (a) goto out; }\nout: here();") == []


@pytest.mark.parametrize(
    "body",
    [
        "if (!mutex_trylock(&a->m)) return 1;\nhere();",
        "if (mutex_trylock(&a->m)) { here(); }",
        "while (!mutex_trylock(&a->m)) relax();\nhere();",
        "if (unlikely(!mutex_trylock(&a->m))) goto out;\nhere();\nout: return 0;",
        "if (a->x && mutex_trylock(&a->m)) here();",
        "ok = mutex_trylock(&a->m);\nif (!ok) return 1;\nhere();",
        "if (mutex_lock_interruptible(&a->m)) return 1;\nhere();",
        "r = mutex_lock_killable(&a->m);\nif (r) return r;\nhere();",
        "if (!refcount_dec_and_mutex_lock(&a->r, &a->m)) return 0;\nhere();",
        "scoped_cond_guard(mutex_intr, return -EINTR, &a->m) { here(); }",
    ],
)
def test_a_try_is_held_where_it_succeeded(body: str) -> None:
    assert always(body) == ["mutex &a->m"]


@pytest.mark.parametrize(
    "body",
    [
        "if (!mutex_trylock(&a->m)) { here(); }",
        "if (mutex_lock_interruptible(&a->m)) { here(); return 1; }",
        "r = mutex_lock_killable(&a->m);\nif (r) here();",
        "if (mutex_trylock(&a->m)) mutex_unlock(&a->m);\nhere();",
    ],
)
def test_a_try_is_not_held_where_it_failed(body: str) -> None:
    assert ever(body) == []


def test_a_lock_that_the_caller_held_counts_below_nought() -> None:
    assert at("spin_unlock(&a->l); here();").states == {((Lock(words.SPIN, "&a->l"), -1),)}


def test_an_assertion_says_what_the_caller_holds() -> None:
    assert always("lockdep_assert_held(&a->m); here();") == ["asserted &a->m"]
    assert always("mutex_lock(&a->m); lockdep_assert_held(&a->m); here();") == ["mutex &a->m"]
    assert ever("lockdep_assert_held(&a->m); mutex_unlock(&a->m); here();") == []


def test_atomic_is_what_must_not_sleep() -> None:
    assert at("spin_lock(&a->l); here();").atomic
    assert not at("mutex_lock(&a->l); here();").atomic


def test_hundreds_of_ways_to_hold_are_summed_up_by_their_bounds() -> None:
    many = "\n".join(f"if (a->x{n}) mutex_lock(&a->m{n % 12});" for n in range(200))
    assert always(f"rcu_read_lock();\n{many}\nhere();") == ["rcu"]
    assert len(at(f"rcu_read_lock();\n{many}\nhere();").states) < 30
    assert "mutex &a->m3" in ever(f"{many}\nhere();")
