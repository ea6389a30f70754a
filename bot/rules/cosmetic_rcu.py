"""cosmetic-rcu: an RCU removal that protects nobody, and looks as if it did."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.removal import unlinks
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, free_without_wait, hit, rule

DESTRUCTOR = Example(
    "the destructor uses list_del_rcu(), and frees at once",
    """\
 struct gadget { struct list_head node; };
 struct hub { refcount_t users; struct list_head gadgets; };

 static void hub_destroy(struct hub *hub)
 {
 	struct gadget *g, *tmp;

 	list_for_each_entry_safe(g, tmp, &hub->gadgets, node) {
-		list_del(&g->node);
+		list_del_rcu(&g->node); // <-- warns
 		kfree(g);
 	}
 	kfree(hub);
 }

 void hub_put(struct hub *hub)
 {
 	if (refcount_dec_and_test(&hub->users))
 		hub_destroy(hub);
 }
""",
)

EXPLAINED = Example(
    "the comment says what the primitive is for",
    """\
 struct gadget { struct list_head node; };
 struct hub { refcount_t users; struct list_head gadgets; };

 static void hub_destroy(struct hub *hub)
 {
 	struct gadget *g, *tmp;

 	list_for_each_entry_safe(g, tmp, &hub->gadgets, node) {
+		/* Nobody else can see the list any more; _rcu on purpose, for symmetry. */
+		list_del_rcu(&g->node);
 		kfree(g);
 	}
 	kfree(hub);
 }

 void hub_put(struct hub *hub)
 {
 	if (refcount_dec_and_test(&hub->users))
 		hub_destroy(hub);
 }
""",
)


@rule(
    level=Level.NOTE,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 14",),
    why="""list_del_rcu() with no grace period behind it protects nobody.  Where no reader can exist that is not a bug,
    but whoever reads the code next takes it for a protection, and copies it to where one is needed.""",
    instead="Keep the plain list_del() in the destructor, with a comment that says why no reader is left.",
    bad=(DESTRUCTOR,),
    good=(EXPLAINED,),
)
def cosmetic_rcu(code: Code) -> Iterator[Hit]:
    """An _rcu removal with no grace period, in a place where no reader can exist."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=True):
        fact = unlink.fact
        if not unlink.excuse or not fact.where.image.whole or code.lifetime.stated(fact.where, fact):
            continue
        freed = next(code.lifetime.freed(fact.where, fact.step, fact.variable), None)
        if freed is None:
            continue
        yield hit(
            fact,
            str(unlink.head),
            f"{fact.name}() on {unlink.head} protects nobody here: {unlink.excuse}",
            (fact.evidence(Role.REMOVE), *free_without_wait(fact, freed)),
            question="Is there a reader that this is for?",
            cure="If not: plain list_del() and a comment that says why.",
        )
