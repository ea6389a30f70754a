"""How control comes to a function: from an entry that begins with nothing held, or out of sight."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.code.asked import Need
from bot.code.contract import asked_of_callers, comments_of
from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.code.needs import Needs
from bot.code.reads import anything_held
from bot.code.tables import CALLED_IN_SECTION, QUEUED
from bot.code.vocabulary import RCU, SRCU

_DEPTH = 6  # callers followed
_MAX_CALLERS = 24  # of one function
_LAST_USER = "users_count"
# Members that are called for a task, straight from a system call, with no section and no lock of the subsystem.
_PROCESS = {
    "file_operations": frozenset(
        {"open", "unlocked_ioctl", "compat_ioctl", "read", "write", "read_iter", "write_iter", "llseek", "poll", "mmap"}
    ),
    "proc_ops": frozenset({"proc_open", "proc_write", "proc_ioctl"}),
    "proto_ops": frozenset({"bind", "connect", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "listen", "ioctl"}),
    "kvm_device_ops": frozenset({"set_attr", "get_attr", "has_attr", "ioctl", "mmap"}),
}
# Members that are called inside rcu_read_lock() or rcu_read_lock_bh(), for each packet, with no lock of the subsystem.
_SECTION = {
    "nf_hook_ops": frozenset({"hook"}),  # include/linux/netfilter.h nf_hook()
    "nft_expr_ops": frozenset({"eval"}),
    "xt_match": frozenset({"match"}),
    "xt_target": frozenset({"target"}),
    "packet_type": frozenset({"func", "list_func"}),  # net/core/dev.c __netif_receive_skb_core()
    "net_protocol": frozenset({"handler"}),  # net/ipv4/ip_input.c ip_local_deliver_finish()
    "inet6_protocol": frozenset({"handler"}),
    "net_device_ops": frozenset({"ndo_start_xmit"}),  # net/core/dev.c __dev_queue_xmit()
    "tcf_proto_ops": frozenset({"classify"}),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A way to a function: the calls from an entry down to it, and what is known to be held, or not, all the way."""

    begins: str  # what is held at the top, for a person
    calls: tuple[tuple[Function, int], ...]


class Entries:
    """Asks for ways to the functions of one world."""

    def __init__(self, needs: Needs) -> None:
        self.needs, self.code = needs, needs.code
        self._found: dict[tuple[Function, Need], Entry | None] = {}

    def way_to(self, function: Function, need: Need) -> Entry | None:
        """A way to a function on which nothing that would do is held, every step of it known; None when none is."""
        place = (function, need)
        if place not in self._found:
            self._found[place] = self._searched(function, need)
        return self._found[place]

    def _searched(self, function: Function, need: Need) -> Entry | None:
        """Breadth first, so that the shortest way is told."""
        seen = {function}
        pending: list[tuple[Function, tuple[tuple[Function, int], ...]]] = [(function, ())]
        for _ in range(_DEPTH):
            above = []
            for reached, calls in pending:
                if self.asks(reached, need):
                    continue  # its callers are to blame, if anybody
                if begins := self.begins(reached, need):
                    return Entry(begins, calls)
                for caller, number in self._callers(reached):
                    last = need.idle and _LAST_USER in caller.words
                    if caller not in seen and not last and self.needs.open(caller, number, need):
                        seen.add(caller)
                        above.append((caller, ((caller, number), *calls)))
            pending = above
        return None

    def from_section(self, function: Function) -> Entry | None:
        """A way to a function from one that is called in a section, with no lock held on it; None when none is."""
        seen = {function}
        pending: list[tuple[Function, tuple[tuple[Function, int], ...]]] = [(function, ())]
        for _ in range(_DEPTH):
            above = []
            for reached, calls in pending:
                if begins := self._begins_in_section(reached):
                    return Entry(begins, calls)
                if asked_of_callers(reached):
                    continue  # perhaps for the lock of the updaters
                for caller, number in self.code.callers(reached)[:_MAX_CALLERS]:
                    if caller not in seen and number >= 0 and not anything_held(caller, number):
                        seen.add(caller)
                        above.append((caller, ((caller, number), *calls)))
            pending = above
        return None

    def _begins_in_section(self, function: Function) -> str:
        """Why a function is always called in a section, "" when that is not known."""
        tables = self.needs.tables
        if function.name in tables.readers:
            return f"{function.name}() is called inside rcu_read_lock(): its table says {CALLED_IN_SECTION}"
        for slot in tables.slots(function.name):
            if slot.member in _SECTION.get(slot.type, ()):
                return f"{function.name}() is {slot.type}.{slot.member}, called inside a section"
        return ""

    def begins(self, function: Function, need: Need) -> str:
        """Why a function begins with nothing held that would do, "" when that is not known."""
        holds = self.needs.known.entries.get(function.name)
        if holds is not None:
            met = any(need.met_by(lock) for lock in holds)
            return "" if met else f"{function.name}() begins with {' and '.join(holds) or 'nothing'} held"
        for slot in self.needs.tables.slots(function.name):
            if slot.type == QUEUED:
                return f"{function.name}() runs as work"
            if slot.member in _PROCESS.get(slot.type, ()):
                return f"{function.name}() is {slot.type}.{slot.member}, called with nothing held"
        if need.kind == RCU and self._sees_to_itself(function, need):
            return f"{function.name}() takes sections of its own, and its callers none"
        return ""

    def _sees_to_itself(self, function: Function, need: Need) -> bool:
        """Whether a function takes sections where nothing is held, and its callers, and theirs, hold nothing."""
        opens = any(
            lock.kind == RCU and call.takes and not anything_held(function, number)
            for number, lock, call in function.locks
        )
        return opens and self._bare_above(function, need, 2)

    def _bare_above(self, function: Function, need: Need, levels: int) -> bool:
        """Whether all who call a function are in sight, and hold nothing that would do at that many levels."""
        calls = self.code.callers(function)
        return (
            function.static
            and bool(calls)
            and all(
                number >= 0
                and not self.asks(caller, need)
                and not anything_held(caller, number)
                and (levels <= 1 or self._bare_above(caller, need, levels - 1))
                for caller, number in calls
            )
        )

    def asks(self, function: Function, need: Need) -> bool:
        """Whether a function says that its callers hold something that would do."""
        if need.kind != SRCU:
            return bool(asked_of_callers(function))
        words = "|".join(("srcu", *need.locks))
        if re.search(rf"\b(?:{words})\b", comments_of(function)):
            return True
        asserts = re.findall(r"lockdep_assert\w*\(([^;]*)\)|srcu_read_lock_held\(([^;]*)\)", function.text)
        return any(re.search(rf"\b(?:{words})\b", "".join(said)) for said in asserts)

    def _callers(self, function: Function) -> list[tuple[Function, int]]:
        """Who calls a function, by its name or through the only tables that it can stand in."""
        found = [(caller, number) for caller, number in self.code.callers(function) if number >= 0]
        for slot in self.needs.tables.slots(function.name):
            if slot.type != QUEUED and self.needs.tables.targets(slot.member):
                found += self._through(slot.member, function)
        return found[:_MAX_CALLERS]

    def _through(self, member: str, function: Function) -> list[tuple[Function, int]]:
        """The calls through a member that mean this function, among others perhaps."""
        return [
            (caller, number)
            for caller in self.code.functions
            if member in caller.words and caller is not function
            for number, step in enumerate(caller.flow.steps)
            if step.kind is StepKind.CALL and member in step.name + "".join(step.args[:1])
            if function in self.needs.callees(caller, step)
        ]
