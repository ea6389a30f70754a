"""Which kernel names lock and unlock, guard, try and assert: the part of the vocabulary that sections are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

RCU, RCU_BH, RCU_SCHED, SRCU, RCU_TASKS = "rcu", "rcu-bh", "rcu-sched", "srcu", "rcu-tasks"
SPIN, MUTEX, RWSEM, RWLOCK, SEQ, PREEMPT, IRQ = "spin", "mutex", "rwsem", "rwlock", "seq", "preempt", "irq"

# Waiting for an RCU reader while one of these is held, or sleeping there, is a bug.
ATOMIC = frozenset({SPIN, RWLOCK, PREEMPT, IRQ, RCU_BH, RCU_SCHED})
READ_SIDE = frozenset({RCU, RCU_BH, RCU_SCHED, SRCU, RCU_TASKS})


@dataclass(frozen=True, slots=True)
class LockCall:
    """A call that takes or drops ``kind`` on its argument number ``argument`` (None: it has no object)."""

    kind: str
    takes: bool
    argument: int | None = None
    tries: bool = False  # takes it only when it returns true
    shared: bool = False  # read side of a reader-writer lock
    may_fail: bool = False  # takes it only when it returns nought
    member: str = ""  # the argument is what owns the lock, which is this member of it


class _Pair(NamedTuple):
    """What takes a lock and what drops it; the rest is as in LockCall."""

    kind: str
    lock: str
    unlock: str
    argument: int | None = None
    shared: bool = False
    member: str = ""


_PAIRS = (
    _Pair(RCU, "rcu_read_lock", "rcu_read_unlock"),
    _Pair(RCU, "rcu_read_lock_dont_migrate", "rcu_read_unlock_migrate"),
    _Pair(RCU_BH, "rcu_read_lock_bh", "rcu_read_unlock_bh"),
    _Pair(RCU_SCHED, "rcu_read_lock_sched", "rcu_read_unlock_sched"),
    _Pair(RCU_SCHED, "rcu_read_lock_sched_notrace", "rcu_read_unlock_sched_notrace"),
    _Pair(RCU_TASKS, "rcu_read_lock_trace", "rcu_read_unlock_trace"),
    _Pair(SRCU, "srcu_down_read", "srcu_up_read", 0),
    _Pair(SRCU, "kvm_vcpu_srcu_read_lock", "kvm_vcpu_srcu_read_unlock", 0, member="kvm->srcu"),
    _Pair(RWLOCK, "KVM_MMU_LOCK", "KVM_MMU_UNLOCK", 0, member="mmu_lock"),
    _Pair(MUTEX, "mutex_lock", "mutex_unlock", 0),
    _Pair(MUTEX, "rtnl_lock", "rtnl_unlock"),
    _Pair(MUTEX, "lock_sock", "release_sock", 0),
    _Pair(SPIN, "bh_lock_sock", "bh_unlock_sock", 0),
    _Pair(MUTEX, "device_lock", "device_unlock", 0),
    _Pair(MUTEX, "genl_lock", "genl_unlock"),
    _Pair(MUTEX, "cgroup_lock", "cgroup_unlock"),
    _Pair(MUTEX, "cpus_read_lock", "cpus_read_unlock"),
    _Pair(RWSEM, "down_write", "up_write", 0),
    _Pair(RWSEM, "down_read", "up_read", 0, shared=True),
    _Pair(RWSEM, "mmap_read_lock", "mmap_read_unlock", 0, shared=True),
    _Pair(RWSEM, "mmap_write_lock", "mmap_write_unlock", 0),
    _Pair(RWSEM, "inode_lock", "inode_unlock", 0),
    _Pair(RWSEM, "filemap_invalidate_lock", "filemap_invalidate_unlock", 0),
    _Pair(PREEMPT, "preempt_disable", "preempt_enable"),
    _Pair(PREEMPT, "preempt_disable_notrace", "preempt_enable_notrace"),
    _Pair(PREEMPT, "get_cpu", "put_cpu"),
    _Pair(IRQ, "local_irq_disable", "local_irq_enable"),
    _Pair(IRQ, "local_irq_save", "local_irq_restore"),
    _Pair(PREEMPT, "local_bh_disable", "local_bh_enable"),
    _Pair(PREEMPT, "kmap_atomic", "kunmap_atomic"),
)
_SRCU_SUFFIXES = ("", "_notrace", "_nmisafe", "_lite", "_fast")
_SPIN_SUFFIXES = {  # of the lock, of its unlock
    "": "", "_bh": "_bh", "_irq": "_irq", "_irqsave": "_irqrestore", "_nested": "", "_irqsave_nested": "_irqrestore",
}  # fmt: skip
_SPINNING = (
    _Pair(SPIN, "spin_lock", "spin_unlock", 0),
    _Pair(SPIN, "raw_spin_lock", "raw_spin_unlock", 0),
    _Pair(RWLOCK, "write_lock", "write_unlock", 0),
    _Pair(RWLOCK, "read_lock", "read_unlock", 0, shared=True),
)
_SINGLE = ((MUTEX, "mutex_lock_nested"), (MUTEX, "mutex_lock_io"))  # dropped by what drops mutex_lock
_INTERRUPTIBLE = (
    (MUTEX, "mutex_lock"), (RWSEM, "down_write"), (RWSEM, "down_read"), (MUTEX, "device_lock"),
    (RWSEM, "mmap_write_lock"), (RWSEM, "mmap_read_lock"), (MUTEX, "rtnl_lock"), (RWSEM, "inode_lock"),
)  # fmt: skip
_INTERRUPTIBLE_SUFFIXES = ("_interruptible", "_killable", "_interruptible_nested", "_killable_nested")
_NO_OBJECT = {"rtnl_lock", "rtnl_trylock"}
_LOCKED_AT_ZERO = (
    (SPIN, "refcount_dec_and_lock"), (SPIN, "atomic_dec_and_lock"), (SPIN, "refcount_dec_and_lock_irqsave"),
    (MUTEX, "refcount_dec_and_mutex_lock"), (MUTEX, "atomic_dec_and_mutex_lock"),
)  # fmt: skip
_TRIES = {
    MUTEX: ("mutex_trylock", "rtnl_trylock"),
    SPIN: ("spin_trylock", "spin_trylock_bh", "spin_trylock_irq", "spin_trylock_irqsave", "raw_spin_trylock"),
    RWLOCK: ("write_trylock", "read_trylock"),
    RWSEM: ("down_write_trylock", "down_read_trylock", "mmap_read_trylock", "inode_trylock"),
}


def _pairs() -> Iterator[_Pair]:
    yield from _PAIRS
    for suffix in _SRCU_SUFFIXES:
        yield _Pair(SRCU, f"srcu_read_lock{suffix}", f"srcu_read_unlock{suffix}", 0)
    for pair in _SPINNING:
        for suffix, unlock in _SPIN_SUFFIXES.items():
            yield pair._replace(lock=pair.lock + suffix, unlock=pair.unlock + unlock)


def _calls() -> Iterator[tuple[str, LockCall]]:
    for kind, lock, unlock, argument, shared, member in _pairs():
        yield lock, LockCall(kind, True, argument, shared=shared, member=member)
        yield unlock, LockCall(kind, False, argument, shared=shared, member=member)
    for kind, name in _SINGLE:
        yield name, LockCall(kind, True, 0)
    for kind, lock in _INTERRUPTIBLE:
        argument = None if lock in _NO_OBJECT else 0
        for suffix in _INTERRUPTIBLE_SUFFIXES:
            yield lock + suffix, LockCall(kind, True, argument, shared="read" in lock, may_fail=True)
    for kind, name in _LOCKED_AT_ZERO:
        yield name, LockCall(kind, True, 1, tries=True)
    for kind, names in _TRIES.items():
        for name in names:
            argument = None if name in _NO_OBJECT else 0
            yield name, LockCall(kind, True, argument, tries=True, shared="read" in name)


LOCK_CALLS = dict(_calls())

# guard(name)(lock) and scoped_guard(name, lock); names as in DEFINE_GUARD / DEFINE_LOCK_GUARD_*.
GUARDS = {
    "rcu": RCU, "srcu": SRCU, "srcu_fast": SRCU, "mutex": MUTEX, "mutex_intr": MUTEX, "mutex_kill": MUTEX,
    "spinlock": SPIN, "spinlock_irq": SPIN, "spinlock_irqsave": SPIN, "spinlock_bh": SPIN, "raw_spinlock": SPIN,
    "raw_spinlock_irq": SPIN, "raw_spinlock_irqsave": SPIN, "raw_spinlock_nested": SPIN, "read_lock": RWLOCK,
    "read_lock_irq": RWLOCK, "read_lock_irqsave": RWLOCK, "write_lock": RWLOCK, "write_lock_irq": RWLOCK,
    "write_lock_irqsave": RWLOCK, "rwsem_read": RWSEM, "rwsem_write": RWSEM, "preempt": PREEMPT, "irq": IRQ,
    "irqsave": IRQ, "device": MUTEX, "rtnl": MUTEX, "rcu_tasks_trace": RCU_TASKS, "cpus_read_lock": MUTEX,
    "mmap_read_lock": RWSEM, "rtnl_net": MUTEX, "preempt_notrace": PREEMPT, "migrate": "migrate",
}  # fmt: skip

# Calls that say what the caller holds: the kind, and the argument of the lock.
ASSERTED = "asserted"  # a lock whose kind the assertion does not tell
ASSERTIONS: dict[str, tuple[str, int | None]] = {
    "lockdep_assert_held": (ASSERTED, 0),
    "lockdep_assert_held_write": (ASSERTED, 0),
    "lockdep_assert_held_read": (ASSERTED, 0),
    "lockdep_assert_held_once": (ASSERTED, 0),
    "assert_spin_locked": (SPIN, 0),
    "assert_raw_spin_locked": (SPIN, 0),
    "ASSERT_RTNL": (MUTEX, None),
    "lockdep_rtnl_assert_held": (MUTEX, None),
    "mmap_assert_write_locked": (RWSEM, 0),
    "lockdep_assert_in_rcu_read_lock": (RCU, None),
    "lockdep_assert_in_rcu_read_lock_bh": (RCU_BH, None),
    "lockdep_assert_in_rcu_reader": (RCU, None),
}

# What makes a guard for the rest of the block, and where its arguments after the class name begin.
GUARD_MAKERS = {"guard": 1, "ACQUIRE": 2}  # ACQUIRE(mutex_intr, name)(&lock)
