"""The functions that run as RCU callbacks."""

from __future__ import annotations

from bot.code.callbacks import queued
from bot.code.protection import WorldFacts
from bot.model import Image, World


def test_both_kinds_of_queues_name_their_callback() -> None:
    text = "void f(struct a *a)\n{\n\tcall_rcu(&a->rcu, free_it);\n\tcall_srcu(&a->b->srcu, &a->rcu, &drop_it);\n}\n"
    found = list(queued(WorldFacts(World((Image("a.c", text),)))))
    assert [(place.callback, place.srcu) for place in found] == [("free_it", False), ("drop_it", True)]
