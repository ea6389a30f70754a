"""What functions need their callers to hold, and on which ways they are reached without it."""

from __future__ import annotations

import pytest

from bot.code.asked import Need, need_of
from bot.code.entries import Entries
from bot.code.exposed import exposed
from bot.code.needs import Needs
from bot.code.protection import Focus, WorldFacts
from bot.code.sight import Sight
from bot.code.tables import QUEUED, Slot, Tables, slots_in
from bot.code.vocabulary import READ_SIDE
from bot.code.world import worlds
from bot.model import Base, Contract, FileDiff, Hunk, Image, Known, World

SLOTS = Need("srcu", "srcu", ("slots_lock",), idle=True)
MEMSLOTS = """\
static inline struct kvm_memslots *__kvm_memslots(struct kvm *kvm, int as_id)
{
	return srcu_dereference_check(kvm->memslots[as_id], &kvm->srcu,
			lockdep_is_held(&kvm->slots_lock) || !refcount_read(&kvm->users_count));
}
"""


def world(text: str, known: Known | None = None) -> WorldFacts:
    return WorldFacts(World((Image("hub.c", text),)), known=known)


def needs_of(text: str, name: str, known: Known | None = None) -> set[Need]:
    code = world(text, known)
    return set(Needs(code, code.known).of(code.by_name[name][0]))


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ("return rcu_dereference(hub->first);", {Need("rcu")}),
        ("return rcu_dereference_rtnl(hub->first);", {Need("rcu", "", ("rtnl",))}),
        ("return rcu_dereference_check(hub->first, lockdep_is_held(&hub->lock));", {Need("rcu", "", ("lock",))}),
        ("return rcu_dereference_check(hub->first, rcu_read_lock_bh_held());", {Need("rcu")}),
        ("return srcu_dereference(hub->first, &hub->srcu);", {Need("srcu", "srcu")}),
        ("list_for_each_entry_rcu(g, &hub->all, node) use(g);", {Need("rcu")}),
        ("list_for_each_entry_srcu(g, &hub->all, node, srcu_read_lock_held(&hub->s)) x(g);", {Need("srcu", "s")}),
        ("WARN_ON_ONCE(!rcu_read_lock_held());", {Need("rcu")}),
        ("return rcu_dereference_check(hub->first, hub->dead);", set()),
        ("return rcu_dereference_check(hub->first, 1);", set()),
        ("return rcu_dereference_raw(hub->first);", set()),
        ("rcu_read_lock(); use(rcu_dereference(hub->first)); rcu_read_unlock();", set()),
        ("hub_lock(hub); use(rcu_dereference(hub->first)); hub_unlock(hub);", set()),
        ("if (IS_ENABLED(CONFIG_HUB)) use(rcu_dereference(hub->first));", set()),
    ],
)
def test_a_read_needs_what_its_own_function_does_not_hold(body: str, needs: set[Need]) -> None:
    assert needs_of(f"static void read(struct hub *hub)\n{{\n\t{body}\n}}\n", "read") == needs


def test_a_need_goes_up_through_calls_until_somebody_holds_what_would_do() -> None:
    text = f"""\
{MEMSLOTS}
static void inner(struct kvm *kvm) {{ __kvm_memslots(kvm, 0); }}
static void outer(struct kvm *kvm) {{ inner(kvm); }}
static void locked(struct kvm *kvm)
{{
	mutex_lock(&kvm->slots_lock);
	inner(kvm);
	mutex_unlock(&kvm->slots_lock);
}}
static void other(struct kvm *kvm)
{{
	mutex_lock(&kvm->lock);
	inner(kvm);
	mutex_unlock(&kvm->lock);
}}
static void put(struct kvm *kvm) {{ if (refcount_dec_and_test(&kvm->users_count)) outer(kvm); }}
"""
    assert needs_of(text, "outer") == {SLOTS}
    assert needs_of(text, "locked") == set()
    assert needs_of(text, "other") == {SLOTS}, "a lock that the condition does not name"
    assert needs_of(text, "put") == set(), "the last user has gone"


def test_a_way_that_the_arguments_rule_out_is_none() -> None:
    text = """\
static void cache(struct hub *hub, int reg)
{
	switch (reg) {
	case REG_TABLE:
		use(rcu_dereference(hub->first));
		break;
	}
}
static void through(struct hub *hub, int reg) { cache(hub, reg); }
static void table(struct hub *hub) { through(hub, REG_TABLE); }
static void stack(struct hub *hub) { through(hub, REG_STACK); }
"""
    assert needs_of(text, "table") == {Need("rcu")}
    assert needs_of(text, "stack") == set()


def test_a_contract_known_beforehand_is_believed_until_the_tree_shows_the_function() -> None:
    known = Known({"find": Contract(("kvm->srcu", "kvm->slots_lock", "no user"), "kvm->memslots")})
    caller = "static void look(struct kvm *kvm) { find(kvm); }\n"
    assert needs_of(caller, "look", known) == {SLOTS}
    held = "static void find(struct kvm *kvm) { guard(srcu)(&kvm->srcu); search(kvm); }\n"
    assert needs_of(held + caller, "look", known) == set()
    assert need_of(Contract(("rcu", "hub->lock"), "hub->first")) == Need("rcu", "", ("lock",))


TABLE = """\
static const struct hub_ops quick_ops = {
	.poke = quick_poke,
	.stop = &quick_stop,
};
static void hub_init(struct hub *hub) { INIT_WORK(&hub->work, hub_run); }
"""


def test_tables_and_queued_work_are_found() -> None:
    found = slots_in(Image("hub.c", TABLE))
    assert found["quick_poke"] == (Slot("hub_ops", "poke"),)
    assert found["quick_stop"] == (Slot("hub_ops", "stop"),)
    assert found["hub_run"] == (Slot(QUEUED, "INIT_WORK"),)


def test_a_member_of_tables_of_two_types_means_neither() -> None:
    images = (Image("hub.c", TABLE), Image("net.c", "static struct net_ops ops = {\n\t.poke = net_poke,\n};\n"))
    tables = Tables(images)
    assert tables.targets("stop") == (("quick_stop", "hub.c"),)
    assert tables.targets("poke") == ()


def places(text: str, known: Known | None = None) -> set[tuple[str, str]]:
    """(function, step) of what is exposed, every function taken for changed."""
    code = world(text, known)
    everything = frozenset((function.path, function.name) for function in code.functions)
    code = code.focused(Focus(frozenset(), everything))
    needs = Needs(code, code.known)
    found = exposed(code, needs, Entries(needs), READ_SIDE)
    return {(place.function.name, place.function.flow.steps[place.number].name) for place in found}


OPS = """\
static void quick_poke(struct hub *hub) { use(rcu_dereference(hub->first)); }
static const struct hub_ops ops = {
	.poke = quick_poke,
};
static long hub_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hub *hub = file->private_data;
	hub->ops->poke(hub);
	return 0;
}
static const struct file_operations fops = {
	.unlocked_ioctl = hub_ioctl,
};
"""


def test_a_way_leads_through_a_call_by_table() -> None:
    assert places(OPS) == {("quick_poke", "rcu_dereference")}
    assert places(OPS.replace("hub->ops->poke(hub);", "guard(rcu)(); hub->ops->poke(hub);")) == set()


def test_an_entry_that_holds_what_would_do_is_no_way() -> None:
    text = MEMSLOTS + "long arch_ioctl(struct kvm *kvm) { return __kvm_memslots(kvm, 0) != NULL; }\n"
    begins = Known(entries={"arch_ioctl": ("vcpu->mutex",)})
    assert places(text, begins) == {("__kvm_memslots", "srcu_dereference_check")}
    assert places(text, Known(entries={"arch_ioctl": ("kvm->slots_lock",)})) == set()
    assert places(text) == set(), "nobody knows who calls it"


def test_a_section_that_was_left_in_sight_is_told_without_any_entry() -> None:
    text = """\
static void wait(struct kvm_vcpu *vcpu)
{
	kvm_vcpu_srcu_read_unlock(vcpu);
	use(srcu_dereference(vcpu->kvm->a, &vcpu->kvm->srcu));
	kvm_vcpu_srcu_read_lock(vcpu);
}
"""
    assert places(text) == {("wait", "srcu_dereference")}


def test_a_function_that_names_more_locks_than_anyone_writes_is_asked_for_some_of_them() -> None:
    reads = "".join(f"\tuse(rcu_dereference_check(hub->a, lockdep_is_held(&lock{n})));\n" for n in range(40))
    found = needs_of(f"static void read(struct hub *hub)\n{{\n{reads}}}\n", "read")
    assert 1 <= len(found) < 40


def test_the_callers_of_a_changed_function_that_needs_a_section_are_looked_up() -> None:
    text = "int find(struct hub *hub)\n{\n\treturn 0;\n}\n"
    hunk = Hunk(1, 4, 1, 4, "", (" int find(struct hub *hub)", " {", "-\treturn 0;", "+\treturn kvm_look(hub);", " }"))
    known = Known({"kvm_look": Contract(("kvm->srcu",), "kvm->memslots")})
    change = FileDiff("hub.c", "hub.c", hunks=(hunk,))
    drawn = worlds([(change,)], Base("tree", {"hub.c": text}))
    assert Sight(drawn, known).unreached() == (("find",),)
    assert not Sight(drawn).worth_asking, "no word of RCU, and nothing is known of the callee"
