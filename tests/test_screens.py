"""What is passed over would have said nothing: series without C, and code without a word that a rule asks for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.code.pieces import may_tell
from bot.code.sight import Sight, may_speak
from bot.code.world import worlds
from bot.feeds.detect import feed_for
from bot.mail import diff
from bot.mail import patch as patches
from bot.mail.assembly import Letter, assemble
from bot.mail.parse import parse
from bot.model import Base, Image, Message, RawMail, Series, World
from bot.review import audit, review
from bot.reviewer import Reviewer, touches_c
from bot.trees.none import NoTree
from config.known import known_functions
from tests.report.making import series as made

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
KNOWN = known_functions()

# Code that moves nodes, takes locks, frees and sleeps, in words of which some are of interest and most are not.
STATEMENTS = (
    "list_del(&x->node)",
    "list_add(&x->node, head)",
    "rcu_read_lock()",
    "rcu_read_unlock()",
    "synchronize_rcu()",
    "kfree(x)",
    "mutex_lock(&m)",
    "mutex_unlock(&m)",
    "x->p = y",
    "y = x->p",
    "return 0",
    "schedule()",
    "free(x)",
    "spin_lock(&s)",
    "spin_unlock(&s)",
    "g(x->p)",
    "p = rcu_dereference(x->p)",
    "list_for_each_entry(x, head, node) f(x)",
    "while (x) x = x->next",
)
functions = st.lists(st.sampled_from(STATEMENTS), max_size=12).map(
    lambda lines: "int f(struct x *x)\n{\n" + "".join(f"\t{line};\n" for line in lines) + "}\n"
)


@given(functions)
def test_no_rule_hits_code_without_a_word_of_interest(text: str) -> None:
    if not may_tell(text):
        assert audit(World((Image("kernel/x.c", text),))) == ()


@given(
    st.lists(st.sampled_from(["a.S", "Makefile", "Documentation/x.rst", "a.cc", "tools/x.py", "c", "h"]), max_size=4)
)
async def test_a_series_without_c_is_answered_as_the_whole_path_answers(paths: list[str]) -> None:
    text = "".join(f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-list_del_rcu(x);\n+list_del(x);\n" for path in paths)
    whole = made(1)
    files, _ = diff.read(text)
    one = replace(whole, patches=tuple(replace(patch, files=files) for patch in whole.patches))
    assert not touches_c(one)
    assert await Reviewer(NoTree(), KNOWN)(one) == review(one, Base(known=KNOWN))


def hits(world: World) -> Counter[tuple[str, ...]]:
    return Counter((rule.name, hit.path, hit.function, " ".join(hit.code.split())) for rule, hit in audit(world, KNOWN))


async def series_of(place: Path) -> tuple[Series, ...]:
    known: dict[str, Letter] = {}
    async for item in feed_for(str(place)).since(""):
        message = parse(item) if isinstance(item, RawMail) else item
        if isinstance(message, Message):
            known.setdefault(message.id, (message, patches.of(message)))
    return tuple(one for one in assemble(known.values(), datetime.now(UTC)) if one.patches)


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus of real mail is not at {CORPUS}")
@pytest.mark.parametrize("place", ["feeds/kvm-ppc.0.bundle", "mail/kvmarm.lists.cs.columbia.edu"])
async def test_every_rule_asked_of_every_series_that_was_passed_over_says_nothing_new(place: str) -> None:
    passed_over = 0
    for one in await series_of(CORPUS / place):
        files = [patch.files for patch in one.patches]
        drawn = worlds(files, Base(known=KNOWN))
        if not may_speak(files, KNOWN):
            last = worlds(files, Base(known=KNOWN), steps=False)
            assert (last.after[-1], last.context, last.notes) == (drawn.after[-1], drawn.context, drawn.notes)
            assert not Sight(drawn, KNOWN).worth_asking
        if not touches_c(one):
            assert review(one, Base(known=KNOWN)).findings == ()
        elif Sight(drawn, KNOWN).worth_asking:
            continue
        passed_over += 1
        assert hits(drawn.after[-1]) - hits(drawn.before) == Counter(), one.title
    assert passed_over > 100
