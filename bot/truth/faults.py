"""Where the bug is: the functions that its fix changes; and which rules claim which class of bugs."""

from __future__ import annotations

from collections.abc import Iterable

from bot.code.protection import changed_functions
from bot.code.world import wanted_files, worlds
from bot.model import Base, Series, Wanted

Place = tuple[str, str]  # (path, function)

# A diff hardly shows these: lockdep conditions, everything else, lock order of others, lifetime.
LEFT_OUT = frozenset({"P11", "P12", "P13", "P14"})

# The rules that name a fault of each class.  A class without any is one that no rule is built for.
CLAIMS: dict[str, frozenset[str]] = {
    "P1": frozenset(
        {
            "called-outside-section",
            "irq-routing-without-irq-srcu",
            "memslots-without-srcu",
            "read-lock-removed",
            "section-around-one-call-only",
        }
    ),
    "P2": frozenset(
        {
            "barrier-for-grace-period",
            "error-path-frees-published",
            "free-no-longer-waits",
            "free-without-grace-period",
            "grace-period-removed",
            "half-converted-rculist",
            "lookup-returns-unreferenced",
            "part-freed-before-unlink",
            "plain-del-before-deferred-free",
            "plain-del-on-rculist",
            "rcu-head-overlays-live-data",
            "rcu-primitive-dropped",
            "reclaim-before-unlink",
            "reuse-node-before-grace-period",
            "self-delete-while-rcu-iterating",
            "subobject-freed-early",
            "teardown-frees-at-once",
            "wait-before-unlink",
            "wait-taken-out",
            "refcount-release-frees-directly",
        }
    ),
    "P3": frozenset(
        {
            "del-init-on-rculist",
            "free-without-grace-period",
            "half-converted-rculist",
            "list-iterator-wrong-flavour",
            "nulls-no-restart",
            "plain-add-on-rculist",
            "plain-del-before-deferred-free",
            "plain-del-on-rculist",
            "plain-replace",
            "plain-iteration-in-reader",
            "plain-walk-in-callers-section",
            "pointer-used-after-unlock",
            "prev-walk-of-rculist",
            "rcu-primitive-dropped",
            "reuse-node-before-grace-period",
            "self-delete-while-rcu-iterating",
            "splice-onto-rculist",
            "splice-or-move-on-rculist",
            "list-empty-then-first",
            "rbtree-walk-in-reader",
            "safe-iterator-in-reader",
        }
    ),
    "P4": frozenset(
        {
            "plain-load-of-rcu-pointer",
            "plain-store-before-wait",
            "plain-store-rcu-pointer",
            "publication-made-plain",
            "walk-over-moving-head",
            "access-pointer-dereferenced",
            "double-dereference",
            "init-pointer-for-publication",
            "publish-before-init",
        }
    ),
    "P5": frozenset(
        {
            "call-drawn-into-section",
            "sleep-in-reader",
            "callback-blocks",
            "synchronize-in-atomic",
            "synchronize-in-own-reader",
            "synchronize-srcu-in-own-reader",
            "headless-free-in-atomic",
            "callback-lock-not-bh-safe",
        }
    ),
    "P6": frozenset({"unbalanced-read-lock", "read-lock-on-one-side", "srcu-index-misuse", "nested-vcpu-srcu"}),
    "P7": frozenset(
        {
            "get-instead-of-tryget",
            "lookup-returns-unreferenced",
            "pointer-used-after-unlock",
            "read-lock-removed",
            "unlock-relock-inside-iteration",
            "rhashtable-lookup-result-outlives-section",
        }
    ),
    "P8": frozenset(
        {
            "handle-visible-before-object-ready",
            "reclaim-before-unlink",
            "static-call-out-of-step",
            "wait-before-unlink",
            "publish-before-init",
            "srcu-used-before-init",
        }
    ),
    "P9": frozenset(
        {
            "call-srcu-without-srcu-barrier",
            "module-exit-without-rcu-barrier",
            "barrier-for-grace-period",
            "barrier-after-free",
            "cache-destroy-with-pending-frees",
        }
    ),
    "P10": frozenset(
        {
            "flavour-mismatch",
            "updater-accessor-in-reader",
            "wrong-dereference-flavour",
            "list-iterator-wrong-flavour",
            "srcu-domain-mismatch",
            "irq-routing-without-irq-srcu",
            "rcu-primitive-dropped",
        }
    ),
}
# Rules that see a fault of their class in diffs without any word of RCU.
WORDLESS: dict[str, frozenset[str]] = {
    "P1": frozenset({"called-outside-section", "irq-routing-without-irq-srcu", "memslots-without-srcu"}),
    "P7": frozenset({"pointer-used-after-unlock"}),
}


def places_wanted(series: Series) -> Wanted:
    """What to ask a tree before ``functions``."""
    return wanted_files([patch.files for patch in series.patches])


def functions(series: Series, base: Base) -> frozenset[Place]:
    """(path, name) of every function that a series changes; as the hunk headers tell where there is no tree."""
    drawn = worlds([patch.files for patch in series.patches], base)
    if not drawn.after:
        return frozenset()
    return changed_functions(drawn.before, drawn.after[-1])


def lies_in(place: Place, known: Iterable[Place]) -> bool:
    """Whether a function is one of these.  Files move between a bug and its fix, so their folders do not matter."""
    return _loose(place) in {_loose(other) for other in known}


def _loose(place: Place) -> Place:
    path, function = place
    return path.rpartition("/")[2], function
