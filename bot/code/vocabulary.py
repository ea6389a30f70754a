"""Which kernel names lock, unlock, read, publish, unlink, wait, free and sleep: one table, nothing else.

Sources: Documentation/RCU/ and
include/linux/{rculist,rcupdate,srcu,list,hashtable,rculist_nulls,rculist_bl,cleanup,spinlock,mutex,rwsem}.h.
Argument numbers count from 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.code.lock_calls import (
    ASSERTED as ASSERTED,
)
from bot.code.lock_calls import (
    ASSERTIONS as ASSERTIONS,
)
from bot.code.lock_calls import (
    ATOMIC as ATOMIC,
)
from bot.code.lock_calls import (
    GUARD_MAKERS as GUARD_MAKERS,
)
from bot.code.lock_calls import (
    GUARDS as GUARDS,
)
from bot.code.lock_calls import (
    IRQ as IRQ,
)
from bot.code.lock_calls import (
    LOCK_CALLS as LOCK_CALLS,
)
from bot.code.lock_calls import (
    MUTEX as MUTEX,
)
from bot.code.lock_calls import (
    PREEMPT as PREEMPT,
)
from bot.code.lock_calls import (
    RCU as RCU,
)
from bot.code.lock_calls import (
    RCU_BH as RCU_BH,
)
from bot.code.lock_calls import (
    RCU_SCHED as RCU_SCHED,
)
from bot.code.lock_calls import (
    RCU_TASKS as RCU_TASKS,
)
from bot.code.lock_calls import (
    READ_SIDE as READ_SIDE,
)
from bot.code.lock_calls import (
    RWLOCK as RWLOCK,
)
from bot.code.lock_calls import (
    RWSEM as RWSEM,
)
from bot.code.lock_calls import (
    SEQ as SEQ,
)
from bot.code.lock_calls import (
    SPIN as SPIN,
)
from bot.code.lock_calls import (
    SRCU as SRCU,
)
from bot.code.lock_calls import (
    LockCall as LockCall,
)

# ------------------------------------------------------------------------------------- lists


@dataclass(frozen=True, slots=True)
class ListCall:
    """A call on a linked list: which argument is the node, which the head (None: not said)."""

    node: int | None
    head: int | None
    rcu: bool


def _both(names: tuple[str, ...], node: int | None, head: int | None, *, rcu: bool) -> dict[str, ListCall]:
    return {name: ListCall(node, head, rcu) for name in names}


ADDS: dict[str, ListCall] = {
    **_both(("list_add_rcu", "list_add_tail_rcu", "hlist_add_head_rcu", "hlist_add_tail_rcu"), 0, 1, rcu=True),
    **_both(("hlist_nulls_add_head_rcu", "hlist_nulls_add_tail_rcu", "hlist_bl_add_head_rcu"), 0, 1, rcu=True),
    **_both(("list_bidir_add_rcu", "hlist_bl_set_first_rcu"), 0, 1, rcu=True),
    **_both(("hlist_add_before_rcu", "hlist_add_behind_rcu"), 0, None, rcu=True),
    **_both(("hash_add_rcu",), 1, 0, rcu=True),
    **_both(("list_add", "list_add_tail", "hlist_add_head", "hlist_bl_add_head"), 0, 1, rcu=False),
    **_both(("hlist_nulls_add_head",), 0, 1, rcu=False),
    **_both(("hlist_add_before", "hlist_add_behind"), 0, None, rcu=False),
    **_both(("hash_add",), 1, 0, rcu=False),
}  # fmt: skip

REPLACES: dict[str, ListCall] = {  # (old, new): the old node leaves, the new one is published
    **_both(("list_replace_rcu", "hlist_replace_rcu"), 1, None, rcu=True),
    **_both(("list_replace", "list_replace_init"), 1, None, rcu=False),
}

UNLINKS: dict[str, ListCall] = {
    **_both(("list_del_rcu", "hlist_del_rcu", "hlist_del_init_rcu", "hlist_nulls_del_rcu"), 0, None, rcu=True),
    **_both(("hlist_nulls_del_init_rcu", "hlist_bl_del_rcu", "list_bidir_del_rcu", "hash_del_rcu"), 0, None, rcu=True),
    **_both(("list_del", "hlist_del", "__list_del_entry", "__hlist_del", "hlist_bl_del"), 0, None, rcu=False),
    **_both(("list_del_init", "hlist_del_init", "list_del_init_careful", "hlist_bl_del_init"), 0, None, rcu=False),
    **_both(("hash_del",), 0, None, rcu=False),
}
DEL_INITS = frozenset({"list_del_init", "hlist_del_init", "list_del_init_careful", "hlist_bl_del_init", "hash_del"})
MOVES = frozenset({"list_move", "list_move_tail", "list_bulk_move_tail"})  # (node, head): unlink and add, no RCU form
SPLICES: dict[str, int] = {  # all of a list at once, by plain stores: argument of the head that loses its entries
    "list_splice": 0, "list_splice_init": 0, "list_splice_tail": 0, "list_splice_tail_init": 0,
    "list_replace_init": 0, "list_cut_position": 1, "list_cut_before": 1, "hlist_move_list": 0,
}  # fmt: skip
# The argument of the head that gets them.
SPLICED_ONTO: dict[str, int] = dict.fromkeys(
    ("list_splice", "list_splice_init", "list_splice_tail", "list_splice_tail_init", "hlist_move_list"), 1
)


@dataclass(frozen=True, slots=True)
class WalkCall:
    """An iterator or first-entry macro: arguments of the cursor, the head, the member name, the lockdep condition."""

    cursor: int | None
    head: int | None
    member: int | None
    rcu: bool
    condition: int | None = None
    flavour: str = RCU


WALKS: dict[str, WalkCall] = {
    "list_for_each_entry_rcu": WalkCall(0, 1, 2, True, 3),
    "list_for_each_entry_srcu": WalkCall(0, 1, 2, True, 3, SRCU),
    "list_for_each_entry_lockless": WalkCall(0, 1, 2, True),
    "list_for_each_entry_continue_rcu": WalkCall(0, 1, 2, True),
    "list_for_each_entry_from_rcu": WalkCall(0, 1, 2, True),
    "hlist_for_each_entry_rcu": WalkCall(0, 1, 2, True, 3),
    "hlist_for_each_entry_srcu": WalkCall(0, 1, 2, True, 3, SRCU),
    "hlist_for_each_entry_rcu_notrace": WalkCall(0, 1, 2, True),
    "hlist_for_each_entry_rcu_bh": WalkCall(0, 1, 2, True, None, RCU_BH),
    "hlist_for_each_entry_continue_rcu": WalkCall(0, None, 1, True),
    "hlist_for_each_entry_from_rcu": WalkCall(0, None, 1, True),
    "hlist_nulls_for_each_entry_rcu": WalkCall(0, 2, 3, True),
    "hlist_bl_for_each_entry_rcu": WalkCall(0, 2, 3, True),
    "hash_for_each_rcu": WalkCall(2, 0, 3, True),
    "hash_for_each_possible_rcu": WalkCall(1, 0, 2, True, 4),
    "hash_for_each_possible_rcu_notrace": WalkCall(1, 0, 2, True),
    "list_first_or_null_rcu": WalkCall(None, 0, 2, True),
    "list_first_entry_rcu": WalkCall(None, 0, 2, True),
    "list_next_or_null_rcu": WalkCall(None, 0, 3, True),
    "list_entry_rcu": WalkCall(None, None, 2, True),
    "list_for_each_entry": WalkCall(0, 1, 2, False),
    "list_for_each_entry_safe": WalkCall(0, 2, 3, False),
    "list_for_each_entry_reverse": WalkCall(0, 1, 2, False),
    "list_for_each_entry_safe_reverse": WalkCall(0, 2, 3, False),
    "list_for_each_entry_continue": WalkCall(0, 1, 2, False),
    "list_for_each_entry_safe_continue": WalkCall(0, 2, 3, False),
    "list_for_each_entry_from": WalkCall(0, 1, 2, False),
    "hlist_for_each_entry": WalkCall(0, 1, 2, False),
    "hlist_for_each_entry_safe": WalkCall(0, 2, 3, False),
    "hash_for_each": WalkCall(2, 0, 3, False),
    "hash_for_each_safe": WalkCall(3, 0, 4, False),
    "hash_for_each_possible": WalkCall(1, 0, 2, False),
    "hash_for_each_possible_safe": WalkCall(1, 0, 3, False),
    "list_first_entry": WalkCall(None, 0, 2, False),
    "list_first_entry_or_null": WalkCall(None, 0, 2, False),
    "list_last_entry": WalkCall(None, 0, 2, False),
}

# ------------------------------------------------------------------------------------- pointers

STORES = {  # (pointer, value): publish or retire
    "rcu_assign_pointer": 0,
    "RCU_INIT_POINTER": 0,
    "rcu_replace_pointer": 0,
    "rcu_swap_protected": 0,
}
READS: dict[str, str] = {  # a read that a section must cover
    "rcu_dereference": RCU,
    "rcu_dereference_check": RCU,
    "rcu_dereference_bh": RCU_BH,
    "rcu_dereference_bh_check": RCU_BH,
    "rcu_dereference_sched": RCU_SCHED,
    "rcu_dereference_sched_check": RCU_SCHED,
    "rcu_dereference_rtnl": RCU,
    "rcu_dereference_bh_rtnl": RCU_BH,
    "srcu_dereference": SRCU,
    "srcu_dereference_check": SRCU,
    "rcu_dereference_raw": RCU,
    "rcu_dereference_raw_check": RCU,
}
UPDATER_READS = frozenset(
    {"rcu_dereference_protected", "rtnl_dereference", "rcu_access_pointer", "unrcu_pointer", "rcu_dereference_raw",
     "rcu_replace_pointer", "rcu_replace_pointer_rtnl", "nft_dereference", "rcu_dereference_check"}
)  # fmt: skip

LOOKUPS = frozenset(
    {
        "gfn_to_memslot", "__gfn_to_memslot", "kvm_vcpu_gfn_to_memslot", "id_to_memslot", "kvm_memslots",
        "__kvm_memslots", "kvm_vcpu_memslots", "idr_find", "xa_load", "radix_tree_lookup", "rhashtable_lookup",
        "rhashtable_lookup_fast", "rhltable_lookup", "find_task_by_vpid", "find_task_by_pid_ns", "pid_task",
        "find_vpid",
        "dev_get_by_index_rcu", "dev_get_by_name_rcu", "__in_dev_get_rcu", "__in6_dev_get", "task_css",
    }
)  # fmt: skip
"""Calls whose result is good only as long as the caller's read-side section or lock lasts."""

# ------------------------------------------------------------------------------------- waiting

WAITS: dict[str, tuple[str, int | None]] = {  # name -> (flavour, argument of the srcu domain)
    "synchronize_rcu": (RCU, None),
    "synchronize_rcu_expedited": (RCU, None),
    "synchronize_rcu_mult": (RCU, None),
    "synchronize_rcu_bh": (RCU, None),
    "synchronize_sched": (RCU, None),
    "synchronize_net": (RCU, None),
    "synchronize_rcu_tasks": (RCU_TASKS, None),
    "synchronize_rcu_tasks_trace": (RCU_TASKS, None),
    "synchronize_rcu_tasks_rude": (RCU_TASKS, None),
    "synchronize_srcu": (SRCU, 0),
    "synchronize_srcu_expedited": (SRCU, 0),
    "cond_synchronize_rcu": (RCU, None),
    "cond_synchronize_rcu_expedited": (RCU, None),
    "cond_synchronize_rcu_full": (RCU, None),
    "wait_rcu_gp": (RCU, None),
    "rcu_barrier": (RCU, None),  # not a grace period by itself (checklist.rst 17), but never a missing wait's cause
    "srcu_barrier": (SRCU, 0),
    # Kernel functions that hold a grace period inside.
    "kvm_io_bus_unregister_dev": (SRCU, None),
    "kvm_unregister_irq_ack_notifier": (SRCU, None),
    "kvm_unregister_irq_mask_notifier": (SRCU, None),
    "kvm_swap_active_memslots": (SRCU, None),
    "kvm_set_irq_routing": (SRCU, None),
    "mmu_notifier_unregister": (SRCU, None),
    "unregister_netdevice": (RCU, None),
    "unregister_netdevice_many": (RCU, None),
    "unregister_netdev": (RCU, None),
    "netdev_rx_handler_unregister": (RCU, None),
    "dev_remove_pack": (RCU, None),
    "unregister_pernet_subsys": (RCU, None),
    "unregister_pernet_device": (RCU, None),
    "inet_del_protocol": (RCU, None),
    "inet6_del_protocol": (RCU, None),
    "sock_unregister": (RCU, None),
    "tracepoint_synchronize_unregister": (RCU, None),
    "percpu_ref_kill_and_confirm": (RCU, None),
    "list_splice_init_rcu": (RCU, None),
    "list_splice_tail_init_rcu": (RCU, None),
}

DEFERS: dict[str, int] = {  # frees or calls back after a grace period; argument that names the object
    "kfree_rcu": 0,
    "kvfree_rcu": 0,
    "kfree_rcu_mightsleep": 0,
    "kvfree_rcu_mightsleep": 0,
    "call_rcu": 0,
    "call_rcu_hurry": 0,
    "call_rcu_bh": 0,
    "call_rcu_sched": 0,
    "call_rcu_lazy": 0,
    "call_rcu_tasks": 0,
    "call_rcu_tasks_trace": 0,
    "call_srcu": 1,
    "queue_rcu_work": 1,
    "kfree_call_rcu": 0,
    "dst_release": 0,
}

# Forms of the above that a kernel of another age, or the patch itself, brings along.
_WAIT_FORM = re.compile(r"_*+(synchronize_(?P<s>s?)rcu|synchronize_net|synchronize_sched|\w+_synchronize_s?rcu)\w*")
_DEFER_FORM = re.compile(r"_*+(call_(?P<s>s?)rcu|kv?free_rcu|\w+_free_rcu)\w*")


def wait_of(name: str) -> tuple[str, int | None] | None:
    """(flavour, argument of the srcu domain) of a call that waits for readers, None for any other name."""
    if name in WAITS or not (form := _WAIT_FORM.fullmatch(name)):
        return WAITS.get(name)
    return (SRCU, 0) if form["s"] else (RCU, None)


def deferred_argument(name: str) -> int | None:
    """The argument that names the object in a call which frees it after a grace period, None for any other name."""
    if name in DEFERS or not (form := _DEFER_FORM.fullmatch(name)):
        return DEFERS.get(name)
    return 1 if form["s"] else 0


FREES: dict[str, int] = {
    "kfree": 0, "kvfree": 0, "vfree": 0, "kfree_sensitive": 0, "kzfree": 0, "kvfree_sensitive": 0,
    "kmem_cache_free": 1, "mempool_free": 0, "free_percpu": 0, "kfree_const": 0, "free_netdev": 0,
    "free_page": 0, "free_pages": 0, "__free_page": 0, "__free_pages": 0, "kobject_put": -1, "bitmap_free": 0,
}  # fmt: skip
OPS_FREES = frozenset({"release", "destroy", "free", "dtor", "destructor"})  # x->ops->destroy(x)

# ------------------------------------------------------------------------------------- sleeping

SLEEPS = frozenset(
    {
        "mutex_lock", "mutex_lock_nested", "mutex_lock_interruptible", "mutex_lock_killable", "down_read",
        "down_write", "down", "down_interruptible", "down_killable", "lock_sock", "rtnl_lock", "device_lock",
        "mmap_read_lock", "mmap_write_lock", "inode_lock", "msleep", "msleep_interruptible", "ssleep", "usleep_range",
        "fsleep", "schedule", "schedule_timeout", "schedule_timeout_interruptible", "schedule_timeout_uninterruptible",
        "cond_resched", "might_sleep", "wait_event", "wait_event_interruptible", "wait_event_timeout",
        "wait_event_killable", "wait_for_completion", "wait_for_completion_timeout",
        "wait_for_completion_interruptible", "wait_for_completion_killable", "copy_from_user", "copy_to_user",
        "strncpy_from_user", "memdup_user", "vmemdup_user", "memdup_user_nul", "strndup_user", "clear_user",
        "get_user", "put_user", "vmalloc", "vzalloc", "vmalloc_user", "kthread_stop", "kthread_create", "flush_work",
        "cancel_work_sync", "cancel_delayed_work_sync", "flush_workqueue", "flush_delayed_work", "del_timer_sync",
        "destroy_workqueue", "alloc_workqueue", "synchronize_rcu", "synchronize_rcu_expedited", "synchronize_net",
        "synchronize_srcu", "synchronize_srcu_expedited", "rcu_barrier", "unregister_netdevice", "register_netdevice",
        "kvm_vcpu_block", "kvm_vcpu_halt", "filp_close", "free_irq", "synchronize_irq", "disable_irq", "request_irq",
        "request_threaded_irq", "percpu_down_write", "cpus_read_lock", "kern_path", "vfs_read", "vfs_write",
        "kernel_read", "kernel_write", "lock_page", "get_user_pages", "pin_user_pages",
        "get_user_pages_fast", "clk_prepare", "clk_prepare_enable", "regulator_enable", "kmap", "blk_mq_freeze_queue",
        "kvfree_rcu_mightsleep", "kfree_rcu_mightsleep", "sysfs_create_group", "sysfs_remove_group",
        "device_register", "device_unregister", "device_add", "device_del", "request_module", "kmsg_dump_rewind_sleep",
        "static_branch_inc", "static_branch_dec", "static_branch_enable", "static_branch_disable",
        "static_key_slow_inc", "static_key_slow_dec", "static_key_enable", "static_key_disable",
        "percpu_down_read", "mmput", "dput", "iput", "debugfs_remove", "proc_remove", "remove_proc_entry",
        "misc_register", "misc_deregister", "dev_close", "unregister_netdev", "wait_on_bit", "wait_event_lock_irq",
        "synchronize_rcu_tasks", "synchronize_rcu_tasks_trace", "srcu_barrier", "disable_work_sync",
        "mutex_lock_io", "kvm_io_bus_register_dev", "kvm_io_bus_unregister_dev", "nf_unregister_net_hook",
    }
) - {"del_timer_sync", "kmsg_dump_rewind_sleep", "cond_resched"}  # fmt: skip
"""Calls that may block whatever their arguments are.  cond_resched() is left out: inside a section it is a splat at
worst and often sits behind a test for the section."""

ALLOCATORS = frozenset(
    {
        "kmalloc", "kzalloc", "kcalloc", "kmalloc_array", "kmemdup", "kstrdup", "kasprintf", "kvmalloc", "kvzalloc",
        "kvcalloc", "kvmalloc_array", "kmem_cache_alloc", "kmem_cache_zalloc", "alloc_page", "alloc_pages",
        "__get_free_page", "__get_free_pages", "get_zeroed_page", "krealloc", "kmalloc_node", "kzalloc_node",
        "alloc_skb", "nlmsg_new", "genlmsg_new", "idr_alloc", "ida_alloc", "xa_alloc", "xa_store", "xa_insert",
        "kstrndup",
        "kvasprintf", "kmemdup_nul", "radix_tree_preload", "idr_preload", "skb_clone", "skb_copy", "devm_kzalloc",
        "kmalloc_obj", "kzalloc_obj", "kmalloc_objs", "kzalloc_objs", "alloc_percpu", "bitmap_alloc", "bitmap_zalloc",
    }
)  # fmt: skip
SLEEPING_GFP = re.compile(r"\bGFP_(KERNEL(_ACCOUNT)?|USER|HIGHUSER(_MOVABLE)?|NOFS|NOIO|DMA32?_KERNEL)\b")
FRESH = ALLOCATORS - {
    "idr_alloc",
    "ida_alloc",
    "xa_alloc",
    "xa_store",
    "xa_insert",
    "radix_tree_preload",
    "idr_preload",
}

# ------------------------------------------------------------------------------------- references

REFERENCE_GET = re.compile(
    r"(^|_)(get|tryget|hold|grab|ref|inc_not_zero|get_unless_zero|inc|tryget_live|ref_get|try_get|acquire|pin|dup|clone|copy)"
    r"(_|$)|^(dev_hold|sock_hold|igrab|dget|mntget|fget|kref_get\w*|refcount_inc\w*|atomic_inc\w*|get_\w+|kmemdup\w*)"
)
REFERENCE_ZERO = re.compile(
    r"\b(refcount_dec_and_test|refcount_dec_and_lock\w*|refcount_dec_and_mutex_lock|atomic_dec_and_test|kref_put\w*|"
    r"atomic_dec_and_lock\w*|percpu_ref_put|rcuref_put|refcount_sub_and_test|atomic_long_dec_and_test)\b"
)
NO_RETURN = frozenset({"BUG", "panic", "do_exit", "unreachable", "__builtin_unreachable", "make_task_dead"})

_WORDS = rb"rcu|RCU|list_|hash_|xa_|idr_|kvm_irq_map_|irq_routing|rhashtable_|fd_install|anon_inode_getfd"
SECTION_WORDS = re.compile(_WORDS + rb"|guard\s*\(")
"""A function without any of these has nothing that a rule could ask about."""
TORN_WORDS = re.compile(_WORDS + rb"|guard")
"""The same of lines that are not put together yet, be they old or new."""
