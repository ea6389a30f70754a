"""protected-with-constant-true: rcu_dereference_protected() says that nothing needs to be held."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.code.structs import object_of
from bot.code.vocabulary import ASSERTED, FRESH, MUTEX, REFERENCE_ZERO, RWLOCK, RWSEM, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, nothing_found, rule, step_evidence

_TRUE = frozenset({"1", "true"})
_ALONE = re.compile(
    r"(?:^|_)(?:init|exit|destroy|release|free|fini|teardown|cleanup|uninit|create|alloc|clone|dup|remove|del|"
    r"unregister|shutdown|callback|cb|rcu|dev_put|destruct|destructor|purge|flush|offline|online)(?:_|$)"
)
_LOCKS = (ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN)

RUNTIME = Example(
    "a path that runs beside updaters",
    """\
 struct filter { int nr; };
 struct vm { struct mutex lock; struct filter __rcu *filter; };

 static int filter_count(struct vm *vm)
 {
-	struct filter *f = rcu_dereference_protected(vm->filter, lockdep_is_held(&vm->lock));
+	struct filter *f = rcu_dereference_protected(vm->filter, 1); // <-- warns
 	return f ? f->nr : 0;
 }
""",
)

ALONE = Example(
    "teardown; a lock in sight; an object just made",
    """\
 struct filter { int nr; };
 struct vm { struct mutex lock; struct filter __rcu *filter; };

+static void vm_destroy(struct vm *vm)
+{
+	kfree(rcu_dereference_protected(vm->filter, 1));
+}
+
+static int filter_count(struct vm *vm)
+{
+	guard(mutex)(&vm->lock);
+	return rcu_dereference_protected(vm->filter, 1)->nr;
+}
+
+static struct vm *vm_new(void)
+{
+	struct vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
+
+	vm_prepare(vm);
+	use(rcu_dereference_protected(vm->filter, true));
+	return vm;
+}
""",
)

NAMED_SO = Example(
    "a name that speaks of teardown, in a path that runs beside updaters",
    """\
 struct filter { int nr; };
 struct vm { struct filter __rcu *filter; };

+static int vm_release_count(struct vm *vm)
+{
+	return rcu_dereference_protected(vm->filter, 1)->nr;
+}
""",
)


@rule(
    level=Level.NOTE,
    confidence=0.5,
    sources=("Documentation/RCU/lockdep.rst", "Documentation/RCU/rcu_dereference.rst"),
    why="""The condition is what lockdep checks and what a reviewer reads: with a constant, a caller that holds nothing
    is never found.""",
    instead="lockdep_is_held() of the update lock; a constant only where no other thread can be there.",
    bad=(RUNTIME,),
    good=(ALONE,),
    blind_spots=(NAMED_SO,),
    hunk_proves=True,
)
def protected_with_constant_true(code: Code) -> Iterator[Hit]:
    """rcu_dereference_protected() with a constant for its condition, in a path that may run beside updaters."""
    for function in code.facts.in_focus:
        if "rcu_dereference_protected" not in function.words or _alone(code, function):
            continue
        for number, step in enumerate(function.flow.steps):
            if step.name != "rcu_dereference_protected" or len(step.args) != 2 or step.args[1] not in _TRUE:
                continue
            if function.held[number].ever(_LOCKS) or _made_here(function, step.args[0]):
                continue
            pointer = step.args[0]
            yield hit_at(
                function,
                step,
                pointer,
                f"rcu_dereference_protected({pointer}, {step.args[1]}) names no lock",
                (step_evidence(Role.USE, function, step), nothing_found(Role.LOCK, "no lock held in the function")),
                question=f"Which lock keeps updaters of {pointer} away here?",
                cure="Name it: lockdep_is_held(&lock).",
            )


def _alone(code: Code, function: Function) -> bool:
    """Whether the function is one that no updater runs beside, or whose head, with its locks, is out of sight."""
    named = _ALONE.search(function.name) or REFERENCE_ZERO.search(function.text)
    return bool(named) or function.flow.has_gap or bool(held_by_caller(code.facts, function))


def _made_here(function: Function, expression: str) -> bool:
    owner = object_of(expression)
    return any(
        step.kind is StepKind.CALL and step.target == owner and (step.name in FRESH or "alloc" in step.name)
        for step in function.flow.steps
    )
