"""srcu-vs-lock-inversion: a lock that updaters hold while they wait for SRCU readers, taken by such a reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import opened
from bot.code.sections import lock_of
from bot.code.srcu import Domain, read_at, waited_for
from bot.code.structs import Key
from bot.code.vocabulary import MUTEX, RWSEM, SRCU
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_SLEEPING = (MUTEX, RWSEM)
_Updaters = Mapping[Key, tuple[Domain, Evidence]]  # lock -> the domain that is waited for with it held, and where
# Locks that KVM holds over synchronize_srcu(&kvm->srcu): Documentation/virt/kvm/locking.rst, acquisition order.
_KVM = {Key("kvm", "lock"), Key("kvm", "slots_lock"), Key("kvm_vcpu", "mutex")}

SLOTS = Example(
    "slots_lock inside a section of kvm->srcu",
    """\
 static int vm_pin_page(struct kvm *kvm, gfn_t gfn)
 {
 	struct kvm_memory_slot *slot;
 	int idx, ret = -ENOENT;

 	idx = srcu_read_lock(&kvm->srcu);
 	slot = gfn_to_memslot(kvm, gfn);
 	if (slot) {
+		mutex_lock(&kvm->slots_lock); // <-- warns
 		ret = vm_pin(slot, gfn);
+		mutex_unlock(&kvm->slots_lock);
 	}
 	srcu_read_unlock(&kvm->srcu, idx);
 	return ret;
 }
""",
)

DERIVED = Example(
    "an updater starts to wait under a mutex that readers take",
    """\
 struct hub { struct mutex port_lock; struct srcu_struct srcu; struct port __rcu *port; };

 static int hub_send(struct hub *hub, int value)
 {
 	int ret;

 	guard(srcu)(&hub->srcu);
 	mutex_lock(&hub->port_lock); // <-- warns
 	ret = port_send(srcu_dereference(hub->port, &hub->srcu), value);
 	mutex_unlock(&hub->port_lock);
 	return ret;
 }

 static void hub_reset(struct hub *hub)
 {
 	struct port *old;

 	mutex_lock(&hub->port_lock);
 	old = rcu_replace_pointer(hub->port, NULL, lockdep_is_held(&hub->port_lock));
+	synchronize_srcu(&hub->srcu);
 	mutex_unlock(&hub->port_lock);
-	synchronize_srcu(&hub->srcu);
 	kfree(old);
 }
""",
)

ALLOWED = Example(
    "the lock first, a lock that is dropped before the wait, and another domain",
    """\
+static void vm_update(struct kvm *kvm, struct hub *hub)
+{
+	int idx;
+
+	mutex_lock(&kvm->slots_lock);
+	idx = srcu_read_lock(&kvm->srcu);
+	vm_poke(kvm);
+	srcu_read_unlock(&kvm->srcu, idx);
+	mutex_lock(&kvm->slots_arch_lock);
+	vm_swap(kvm);
+	mutex_unlock(&kvm->slots_arch_lock);
+	synchronize_srcu_expedited(&kvm->srcu);
+	mutex_unlock(&kvm->slots_lock);
+
+	idx = srcu_read_lock(&kvm->srcu);
+	mutex_lock(&kvm->slots_arch_lock);
+	mutex_unlock(&kvm->slots_arch_lock);
+	if (mutex_trylock(&kvm->lock))
+		mutex_unlock(&kvm->lock);
+	srcu_read_unlock(&kvm->srcu, idx);
+
+	idx = srcu_read_lock(&kvm->irq_srcu);
+	mutex_lock(&kvm->slots_lock);
+	mutex_unlock(&kvm->slots_lock);
+	srcu_read_unlock(&kvm->irq_srcu, idx);
+}
""",
)

CALLEE = Example(
    "the lock is taken by a callee",
    """\
+static void vm_update(struct kvm *kvm)
+{
+	guard(srcu)(&kvm->srcu);
+	vm_lock_slots(kvm);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("Documentation/virt/kvm/locking.rst", "Documentation/RCU/checklist.rst item 14"),
    why="""The reader waits for the lock, its owner waits for the reader: a deadlock that needs two tasks to meet, so
    that tests seldom show it.""",
    instead="Take the lock before the section, or let the updater drop the lock before it waits.",
    bad=(SLOTS, DERIVED),
    good=(ALLOWED,),
    blind_spots=(CALLEE,),
    hunk_proves=True,
)
def srcu_vs_lock_inversion(code: Code) -> Iterator[Hit]:
    """An SRCU reader takes a lock under which an updater waits for the readers of the same domain."""
    updaters = _held_over_waits(code)
    for function in code.facts.functions:
        if "srcu" not in function.text or not (function.words & _members(updaters)):
            continue
        for number, step in enumerate(function.flow.steps):
            key = _taken(code, function, step)
            if key is None:
                continue
            for domain, spelled in read_at(code.facts, function, number):
                evidence = _against(updaters, key, domain)
                opener = opened(code.facts, function, number, (SRCU,), spelled) if evidence else None
                if evidence and opener:
                    yield _warning(function, step, function.flow.steps[opener[1]], (key, domain), evidence)


def _members(updaters: _Updaters) -> frozenset[str]:
    return frozenset(key.member for key in (*updaters, *_KVM))


def _held_over_waits(code: Code) -> _Updaters:
    """The locks that the world holds over a wait for an SRCU domain."""
    found: dict[Key, tuple[Domain, Evidence]] = {}
    for function in code.facts.functions:
        waits = "synchronize_srcu" in function.text
        if not waits or not any(word.startswith("synchronize_srcu") for word in function.words):
            continue
        for number, step in enumerate(function.flow.steps):
            domain = waited_for(code.facts, function, step)
            if domain is None or not domain.key.known or not step.args:
                continue
            for lock in function.held[number].always(_SLEEPING):
                key = code.facts.structs.resolve(lock.what, function.variables, function.aliases)
                if key.known and opened(code.facts, function, number, _SLEEPING, lock.what):
                    found.setdefault(key, (domain, step_evidence(Role.WAIT, function, step)))
    return found


def _taken(code: Code, function: Function, step: Step) -> Key | None:
    """The sleeping lock that a step takes."""
    found = lock_of(step) if step.kind is StepKind.CALL else None
    if found is None or not found[1].takes or found[0].kind not in _SLEEPING:
        return None
    key = code.facts.structs.resolve(found[0].what, function.variables, function.aliases)
    return key if key.known else None


def _against(updaters: _Updaters, key: Key, domain: Domain) -> Evidence | None:
    """What says that the lock is held over a wait for the domain."""
    updater = updaters.get(key)
    if updater is not None and updater[0].same_field(domain):
        return updater[1]
    if key in _KVM and domain.same_field(Domain(Key("kvm", "srcu"))):
        return Evidence(Role.WAIT, "", "", 0, f"{key} is held over synchronize_srcu(&kvm->srcu) (KVM's locking.rst)")
    return None


def _warning(function: Function, step: Step, opener: Step, what: tuple[Key, Domain], waits: Evidence) -> Hit:
    key, domain = what
    evidence = (step_evidence(Role.LOCK, function, opener), step_evidence(Role.LOCK, function, step), waits)
    return hit_at(
        function,
        step,
        str(key),
        f"{key} is taken inside {domain}, and held elsewhere over a wait for {domain}",
        evidence,
        question="Can the two meet on one object?",
        cure="Take the lock before the section.",
    )
