"""Which kernel names lock and unlock, guard, try and assert: the part of the vocabulary that sections are made of."""

from __future__ import annotations

from dataclasses import dataclass

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


def _pairs() -> dict[str, LockCall]:
    table: dict[str, LockCall] = {}

    def pair(
        kind: str, lock: str, unlock: str, argument: int | None = None, *, shared: bool = False, member: str = ""
    ) -> None:
        table[lock] = LockCall(kind, True, argument, shared=shared, member=member)
        table[unlock] = LockCall(kind, False, argument, shared=shared, member=member)

    pair(RCU, "rcu_read_lock", "rcu_read_unlock")
    pair(RCU, "rcu_read_lock_dont_migrate", "rcu_read_unlock_migrate")
    pair(RCU_BH, "rcu_read_lock_bh", "rcu_read_unlock_bh")
    pair(RCU_SCHED, "rcu_read_lock_sched", "rcu_read_unlock_sched")
    pair(RCU_SCHED, "rcu_read_lock_sched_notrace", "rcu_read_unlock_sched_notrace")
    pair(RCU_TASKS, "rcu_read_lock_trace", "rcu_read_unlock_trace")
    for suffix in ("", "_notrace", "_nmisafe", "_lite", "_fast"):
        pair(SRCU, f"srcu_read_lock{suffix}", f"srcu_read_unlock{suffix}", 0)
    pair(SRCU, "srcu_down_read", "srcu_up_read", 0)
    pair(SRCU, "kvm_vcpu_srcu_read_lock", "kvm_vcpu_srcu_read_unlock", 0, member="kvm->srcu")
    pair(RWLOCK, "KVM_MMU_LOCK", "KVM_MMU_UNLOCK", 0, member="mmu_lock")
    for suffix in ("", "_bh", "_irq", "_irqsave", "_nested", "_irqsave_nested"):
        unlock = {"_irqsave": "_irqrestore", "_nested": "", "_irqsave_nested": "_irqrestore"}.get(suffix, suffix)
        pair(SPIN, f"spin_lock{suffix}", f"spin_unlock{unlock}", 0)
        pair(SPIN, f"raw_spin_lock{suffix}", f"raw_spin_unlock{unlock}", 0)
        pair(RWLOCK, f"write_lock{suffix}", f"write_unlock{unlock}", 0)
        pair(RWLOCK, f"read_lock{suffix}", f"read_unlock{unlock}", 0, shared=True)
    pair(MUTEX, "mutex_lock", "mutex_unlock", 0)
    for name in ("mutex_lock_nested", "mutex_lock_io"):
        table[name] = LockCall(MUTEX, True, 0)
    pair(MUTEX, "rtnl_lock", "rtnl_unlock")
    pair(MUTEX, "lock_sock", "release_sock", 0)
    pair(SPIN, "bh_lock_sock", "bh_unlock_sock", 0)
    pair(MUTEX, "device_lock", "device_unlock", 0)
    pair(MUTEX, "genl_lock", "genl_unlock")
    pair(MUTEX, "cgroup_lock", "cgroup_unlock")
    pair(MUTEX, "cpus_read_lock", "cpus_read_unlock")
    pair(RWSEM, "down_write", "up_write", 0)
    pair(RWSEM, "down_read", "up_read", 0, shared=True)
    pair(RWSEM, "mmap_read_lock", "mmap_read_unlock", 0, shared=True)
    pair(RWSEM, "mmap_write_lock", "mmap_write_unlock", 0)
    pair(RWSEM, "inode_lock", "inode_unlock", 0)
    pair(RWSEM, "filemap_invalidate_lock", "filemap_invalidate_unlock", 0)
    pair(PREEMPT, "preempt_disable", "preempt_enable")
    pair(PREEMPT, "preempt_disable_notrace", "preempt_enable_notrace")
    pair(PREEMPT, "get_cpu", "put_cpu")
    pair(IRQ, "local_irq_disable", "local_irq_enable")
    pair(IRQ, "local_irq_save", "local_irq_restore")
    pair(PREEMPT, "local_bh_disable", "local_bh_enable")
    pair(PREEMPT, "kmap_atomic", "kunmap_atomic")
    for kind, lock in ((MUTEX, "mutex_lock"), (RWSEM, "down_write"), (RWSEM, "down_read"), (MUTEX, "device_lock"),
                       (RWSEM, "mmap_write_lock"), (RWSEM, "mmap_read_lock"), (MUTEX, "rtnl_lock"),
                       (RWSEM, "inode_lock")):  # fmt: skip
        for suffix in ("_interruptible", "_killable", "_interruptible_nested", "_killable_nested"):
            argument = None if lock == "rtnl_lock" else 0
            table[lock + suffix] = LockCall(kind, True, argument, shared="read" in lock, may_fail=True)
    for name in ("refcount_dec_and_lock", "atomic_dec_and_lock", "refcount_dec_and_lock_irqsave"):
        table[name] = LockCall(SPIN, True, 1, tries=True)
    for name in ("refcount_dec_and_mutex_lock", "atomic_dec_and_mutex_lock"):
        table[name] = LockCall(MUTEX, True, 1, tries=True)
    for kind, names in (
        (MUTEX, ("mutex_trylock", "rtnl_trylock")),
        (SPIN, ("spin_trylock", "spin_trylock_bh", "spin_trylock_irq", "spin_trylock_irqsave", "raw_spin_trylock")),
        (RWLOCK, ("write_trylock", "read_trylock")),
        (RWSEM, ("down_write_trylock", "down_read_trylock", "mmap_read_trylock", "inode_trylock")),
    ):
        for name in names:
            table[name] = LockCall(kind, True, None if name == "rtnl_trylock" else 0, tries=True, shared="read" in name)
    return table


LOCK_CALLS = _pairs()

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
