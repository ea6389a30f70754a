"""How far a series reaches: the functions it changes, the objects they handle, what a tree may know of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bot.code.callbacks import queued
from bot.code.facts import FactKind
from bot.code.flow import Step, StepKind
from bot.code.needs import Needs
from bot.code.pieces import may_tell
from bot.code.protection import Focus, WorldFacts, changed_functions
from bot.code.reach import Reach
from bot.code.removal import onto
from bot.code.structs import GLOBAL, LOCAL, UNKNOWN, Key
from bot.code.vocabulary import LOCK_CALLS, MUTEX, READ_SIDE, READS, RWLOCK, RWSEM, SPIN, TORN_WORDS
from bot.code.world import Worlds
from bot.model import FileDiff, Known

_DEPTH = 2  # calls followed to a read
_LOCKS = frozenset({SPIN, MUTEX, RWSEM, RWLOCK})
# What goes by these names is no reader, and too common to be looked up each time.
_READS_NOTHING = re.compile(
    r"_*+(?:pr|dev|netdev|atomic\w*+|refcount|test|set|clear|nla|nlmsg|skb|mem\w*+|str\w*+|v?s\w*+printf|kv?\w?+[amf]\w*+loc"
    r"|kv?free|list|hlist|spin|raw|mutex|s?rcu|get|put|copy|min|max|likely|unlikely|container|lockdep|cpu|cpumask|for_each"
    r"|guard|scoped|xa|ida?r?|init|queue|schedule|wake|trace|debugfs|sysfs|of|clk|u64|[bl]e\d+|[hn]to[hn][sl]|ktime|warn)"
    r"(?:_|$)"
)
_MAX_UNREACHED = 2  # functions whose callers to look up
_MAX_NEW = 4  # callees to look up for what they read
_LISTED = frozenset({FactKind.ADD, FactKind.UNLINK, FactKind.WALK})
_ENOUGH = 16  # functions whose bodies are asked for; more only for updaters, since each may bring a large file


@dataclass(frozen=True)
class Sight:
    """What the worlds of a series are looked at for; everything is worked out when first asked for, and once."""

    drawn: Worlds
    known: Known = field(default_factory=Known)

    @cached_property
    def facts(self) -> tuple[WorldFacts, ...]:
        """The facts of the world before and after each patch, not looked at for anything yet."""
        found = [WorldFacts(self.drawn.before, known=self.known)]
        for world in self.drawn.after:
            found.append(WorldFacts(world, before=found[-1], known=self.known))
        return tuple(found)

    @cached_property
    def changed(self) -> frozenset[tuple[str, str]]:
        """(path, name) of the functions that any patch of the series changes, and that a rule could ask about.

        One that held a word of RCU in any of the worlds counts in all of them: it may have lost it.
        """
        drawn = self.drawn
        pairs = zip((drawn.before, *drawn.after), drawn.after, strict=False)
        names = frozenset().union(*(changed_functions(before, after) for before, after in pairs))
        telling = {
            (function.path, function.name)
            for facts in self.facts
            for function in facts.functions
            if (function.path, function.name) in names and facts.telling(function)
        }
        return frozenset(telling | self._new_readers(names - telling))

    def _new_readers(self, names: frozenset[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of these functions that name other callees which read under RCU than before."""
        first, last = self.facts[0], self.facts[-1]
        now, before = Reach(last, _DEPTH), Reach(first, _DEPTH)
        old = {(f.path, f.name): f for f in first.functions if (f.path, f.name) in names}
        found = set()
        for function in last.functions:
            place = (function.path, function.name)
            if place in names and (readers := now.readers(function)):
                earlier = before.readers(old[place]) if place in old else frozenset()
                if readers != earlier:
                    found.add(place)
        return found

    @cached_property
    def handled(self) -> frozenset[Key]:
        """The objects that RCU or list operations of the changed functions work on, before or after."""
        found: set[Key] = set()
        focus = Focus(frozenset(), self.changed)
        for facts in (self.facts[0].focused(focus), self.facts[-1].focused(focus)):
            for fact in facts.all_facts:
                if fact.kind in _LISTED:
                    found.update((fact.node, fact.head, onto(facts, fact)))
                elif fact.kind in {FactKind.STORE, FactKind.READ} and (fact.rcu or fact.head in facts.pointers):
                    found.add(fact.head)
        return frozenset(key for key in found if key.member)

    @cached_property
    def focus(self) -> Focus:
        """What the series can have an influence on."""
        return Focus(frozenset(key.member for key in self.handled), self.changed)

    @cached_property
    def worth_asking(self) -> bool:
        """Whether the series changes a function that holds any word a rule could ask about."""
        texts = {image.text for world in (self.drawn.before, *self.drawn.after) for image in world.images}
        # Most patches speak of none of this at all, and are not parsed to know it.
        return any(may_tell(text) or self._may_need(text) for text in texts) and bool(self.changed)

    def _may_need(self, text: str) -> bool:
        """Whether a text may call a function that is known to need a section."""
        return any(name in text for name in self.known.contracts)

    def mentions(self) -> Iterator[tuple[str, ...]]:
        """Words that together name an object which a changed function handles."""
        seen: set[tuple[str, ...]] = set()
        for key in sorted(self.handled):
            if key.owner in {LOCAL, "call"} or key.owner.startswith(UNKNOWN):
                continue
            words = (key.member,) if key.owner == GLOBAL else (key.owner.split(".")[0], key.member)
            if words not in seen and (key.owner != GLOBAL or not self._file_local(key.member)):
                seen.add(words)
                yield words

    def _file_local(self, name: str) -> bool:
        """Whether a variable is declared static in the files of the diff: no other file can mention it."""
        return any(
            line.startswith("static ") and name in line.split("(")[-1].replace(")", " ").replace(";", " ").split()
            for image in self.drawn.before.images
            if name in image.text
            for line in image.text.splitlines()
            if name in line
        )

    def callees(self) -> tuple[str, ...]:
        """Functions called by the functions in focus, whose bodies would tell whether they wait, free or sleep.

        Those that updaters call come first, then those that run in a section, or in an RCU callback, of a changed one.
        """
        facts = self.facts[-1].focused(self.focus)
        wanted: dict[str, None] = {}
        for function in facts.in_focus:
            if any(fact.kind in {FactKind.UNLINK, FactKind.STORE} and fact.rcu for fact in facts.facts(function)):
                wanted.update(dict.fromkeys(sorted({step.name for step in function.flow.steps if _named(step)})))
        updaters = len(wanted)
        for function in facts.in_focus:
            if self.focus.changed(function) and function.sections:
                inside = (s for n, s in enumerate(function.flow.steps) if function.held[n].always(READ_SIDE))
                wanted.update(dict.fromkeys(sorted({step.name for step in inside if _named(step)})))
        for place in queued(facts):
            callback = facts.defined(place.callback, place.where.path)
            if callback is not None and self.focus.changed(callback):
                wanted.update(dict.fromkeys(sorted({step.name for step in callback.flow.steps if _named(step)})))
        wanted = dict.fromkeys([*list(wanted)[: max(updaters, _ENOUGH)], *self._new_callees()])
        return tuple(name for name in wanted if name not in facts.by_name)

    def unreached(self) -> tuple[tuple[str, ...], ...]:
        """Names of changed functions that need a section and that nothing in sight calls: their callers would tell."""
        facts = self.facts[-1].focused(self.focus)
        needs = Needs(facts, self.known)
        names = {
            function.name
            for function in facts.in_focus
            if self.focus.changed(function) and not function.static and needs.of(function)
            if function.name not in self.known.entries and not facts.callers(function)
        }
        return tuple((name,) for name in sorted(names)[:_MAX_UNREACHED])

    def _new_callees(self) -> tuple[str, ...]:
        """What changed functions call that they did not before, where nothing is held but a section: it may read."""
        first, last = self.facts[0], self.facts[-1]
        old = {(f.path, f.name): f.words for f in first.functions}
        found: list[str] = []
        for function in last.functions:
            place = (function.path, function.name)
            if place not in self.changed:
                continue
            found += [
                step.name
                for number, step in enumerate(function.flow.steps)
                if _named(step) and step.name not in old.get(place, ()) and step.name not in last.by_name
                if step.name not in self.known.contracts and not _READS_NOTHING.match(step.name)
                if not function.held[number].ever(_LOCKS)
            ]
        return tuple(dict.fromkeys(found))[:_MAX_NEW]


def may_speak(patches: Sequence[Sequence[FileDiff]], known: Known) -> bool:
    """Whether the lines of a series hold any word a rule could ask about; what is drawn of them has no other words."""
    hunks = [hunk for files in patches for file in files for hunk in file.hunks]
    text = "\n".join(part for hunk in hunks for part in (hunk.section, *hunk.lines))
    return TORN_WORDS.search(text.encode("utf-8", "replace")) is not None or any(
        name in text for name in known.contracts
    )


def _named(step: Step) -> bool:
    """Whether a step calls something by a name that a file may define, and that is not known beforehand."""
    if step.kind is not StepKind.CALL or not step.name.isidentifier() or not step.name.islower():
        return False
    return step.name not in LOCK_CALLS and step.name not in READS
