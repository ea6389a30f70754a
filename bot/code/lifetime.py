"""What becomes of an object after it was unlinked, and who can still hold it: waits, frees, last references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bot.code.callbacks import queued
from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.namespaces import gone_with_namespace
from bot.code.protection import WorldFacts
from bot.code.vocabulary import (
    ADDS,
    FREES,
    FRESH,
    READS,
    REFERENCE_ZERO,
    REPLACES,
    STORES,
    UNLINKS,
    UPDATER_READS,
    WALKS,
    deferred_argument,
    wait_of,
)

BY_NAME = "tears down the owner of the list; its callers are not in sight"  # the weakest excuse
_DEFER_NAME = re.compile(
    r"(_rcu|_rcu_mightsleep|call_s?rcu|free_rcu|_deferred|_delayed|_in_rcu)$|queue_work|schedule_work"
)
_DESTRUCTOR_NAME = re.compile(r"(destroy|destruct|teardown|uninit|deinit|fini|exit|dtor|shutdown|cleanup)")
_FREEING_NAME = re.compile(r"(?:^|_)(?:free|release)(?:_|$)")
_INTENT = re.compile(
    r"intentional|deliberate|on purpose|nobody else|no one else|"
    r"no (more |other )?(concurrent )?(readers?|users?|references?)|"
    r"last reference|no longer (visible|reachable)|not (yet )?(visible|published|reachable)|"
    r"cannot (be )?(race|reached|found|access)|can't (race|be reached|be found)|safe (to|because|since|as)|"
    r"no need (for|of|to)\b[^.]{0,40}\b(rcu|synchroni[sz]e)|references? (is|are) (0|zero|dropped)|"
    r"grace period|readers? (have|has|are|is) (gone|done|finished)|synchronize_s?rcu",
    re.IGNORECASE,
)
_BASE = re.compile(r"&?\(?(\w+)")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
# Names that end in _rcu and hand nothing over.
_NO_HANDOVER = frozenset().union(ADDS, REPLACES, UNLINKS, WALKS, STORES, READS, UPDATER_READS, FREES)
_NEAR = 10  # lines
_DEPTH = 2  # calls followed
_CHAIN = 4  # callers followed


@dataclass(frozen=True, slots=True)
class Freed:
    """A free that an unlinked object meets with no grace period on the way: directly, or inside ``callee``."""

    fact: Fact | None
    line: int
    code: str
    callee: str = ""


class Lifetime:
    """Questions about the life of objects in one world."""

    def __init__(self, code: WorldFacts) -> None:
        self.code = code
        self._waits: dict[tuple[Function, int], bool] = {}
        self._frees: dict[tuple[Function, str, int], bool] = {}

    # -- waits

    def waits(self, function: Function, depth: int = _DEPTH) -> bool:
        """Whether a function holds a grace period inside, itself or in a callee of this world."""
        place = (function, depth)
        if place not in self._waits:
            steps = (step for step in function.flow.steps if step.kind is StepKind.CALL)
            self._waits[place] = any(self.is_wait(step, function, depth - 1) for step in steps)
        return self._waits[place]

    def is_wait(self, step: Step, function: Function, depth: int = _DEPTH) -> bool:
        """Whether a step waits for readers: a grace period, or a callee that has one inside."""
        if step.kind is not StepKind.CALL:
            return False
        if wait_of(step.name) is not None:
            return True
        if depth <= 0:
            return False
        callee = self.code.defined(step.name, function.path)
        return callee is not None and callee is not function and self.waits(callee, depth)

    # -- frees

    def frees(self, function: Function, parameter: str, depth: int = _DEPTH) -> bool:
        """Whether a function frees what its parameter points to, with no grace period before."""
        place = (function, parameter, depth)
        if place not in self._frees:
            self._frees[place] = False  # recursion ends here
            self._frees[place] = (
                bool(parameter)
                and next(self.freed(function, 0, parameter, depth - 1), None) is not None
                and not self.defers_elsewhere(function, 0, parameter)
            )
        return self._frees[place]

    def freed(self, function: Function, start: int, variable: str, depth: int = _DEPTH) -> Iterator[Freed]:
        """Frees of ``variable`` that a path from step ``start`` meets with no wait and no new value on the way."""
        names = _names(function, variable)
        frees = {fact.step: fact for fact in self.code.facts(function) if fact.kind is FactKind.FREE}
        for number in self.until_wait(function, start, variable):
            step = function.flow.steps[number]
            fact = frees.get(number)
            line = function.file_line(step.line)
            if fact is not None and fact.variable in names:
                yield Freed(fact, line, step.code)
            elif fact is None and depth > 0 and step.kind is StepKind.CALL:
                callee = self._freeing_callee(function, step, names, depth)
                if callee:
                    yield Freed(None, line, step.code, callee)

    def until_wait(self, function: Function, start: int, variable: str) -> list[int]:
        """The steps that a path from ``start`` reaches before a grace period, while ``variable`` keeps its value.

        A hand-over to call_rcu() and its like ends a path too, and so do lines that the diff does not show.
        """
        names = _names(function, variable)
        start = _assigned_at(function, start, variable)
        known = function.flow.known_at(start)

        def ends(step: Step) -> bool:
            if step.kind is StepKind.ASSUME and known.get(step.name, step.truth) is not step.truth:
                return True  # nobody comes this way
            if step.kind is StepKind.ASSIGN:
                return step.name == variable
            if step.kind is StepKind.WALK:
                return bool(step.args) and step.args[0] == variable
            if step.kind is StepKind.ASSUME:
                return _says_null(step, names)
            return step.kind is StepKind.GAP or self.is_wait(step, function) or _defers(step, names)

        return sorted(function.flow.after(start, ends))

    def defers_elsewhere(self, function: Function, start: int, variable: str) -> bool:
        """Whether another way from ``start`` waits, or hands the object over: the free may be for when nobody reads."""
        names = _names(function, variable)
        return any(
            self.is_wait(step, function) or _defers(step, names)
            for step in (function.flow.steps[number] for number in function.flow.after(start))
        )

    def waits_between(self, function: Function, start: int, end: int) -> bool:
        """Whether some path between two steps waits: then a condition that we do not follow may say when."""
        between = set(function.flow.after(start)) & set(function.flow.before(end))
        return any(self.is_wait(function.flow.steps[number], function) for number in between)

    def waited_before(self, fact: Fact) -> bool:
        """Whether a grace period passed earlier in the function: what was hidden before it has no reader any more."""
        flow = fact.where.flow
        return any(self.is_wait(flow.steps[number], fact.where) for number in flow.before(fact.step))

    def _freeing_callee(self, function: Function, step: Step, names: frozenset[str], depth: int) -> str:
        """The callee that frees one of ``names``, "" when none does."""
        places = [place for place, argument in enumerate(step.args) if argument in names]
        callee = self.code.defined(step.name, function.path) if places else None
        if callee is None or callee is function:
            return ""
        return next(
            (
                callee.name
                for place in places
                if place < len(callee.parameters) and self.frees(callee, callee.parameters[place], depth)
            ),
            "",
        )

    # -- who can still see it

    def private(self, function: Function, fact: Fact) -> bool:
        """Whether the object was made in this function and not yet published on any path to ``fact``."""
        return self._unpublished(function, fact.variable, fact.step)

    def owner_private(self, fact: Fact) -> bool:
        """Whether the object that holds the list head or the pointer was made here and nobody else can find it yet."""
        step = fact.where.flow.steps[fact.step]
        places = step.args if fact.kind is FactKind.ADD else (fact.variable,)
        owners = {match[1] for place in places if (match := _BASE.match(place))} - (
            {fact.variable} if fact.kind is FactKind.ADD else set()
        )
        return any(self._unpublished(fact.where, owner, fact.step) for owner in owners)

    def unpublished_owner(self, function: Function, place: str, before: int) -> bool:
        """Whether nobody else can find the object yet of which ``place`` (``&new->head``) is a member."""
        owner = _BASE.match(place)
        return owner is not None and self._unpublished(function, owner[1], before)

    def _unpublished(self, function: Function, variable: str, before: int, depth: int = _DEPTH) -> bool:
        """Whether a variable holds an object that was made here, or by every caller, and was not published since."""
        steps = function.flow.steps
        if variable in function.parameters and depth > 0:
            return self._made_by_callers(function, function.parameters.index(variable), depth - 1)
        made = {
            number
            for number, step in enumerate(steps)
            if step.kind is StepKind.CALL and step.target == variable and (step.name in FRESH or "alloc" in step.name)
        }
        earlier = set(function.flow.before(before)) if made else set()
        if not earlier & made:
            return False
        return not any(
            other.kind in {FactKind.ADD, FactKind.STORE}
            and other.step in earlier
            and variable == (other.variable if other.kind is FactKind.ADD else other.value)
            for other in self.code.facts(function)
        )

    def _made_by_callers(self, function: Function, place: int, depth: int) -> bool:
        """Whether all callers, and there is one, hand over an object at ``place`` that nobody else knows yet."""
        calls = self.code.callers(function)
        for caller, number in calls:
            args = caller.flow.steps[number].args if number >= 0 else ()
            owner = _BASE.match(args[place]) if place < len(args) else None
            if owner is None or not self._unpublished(caller, owner[1], number, depth):
                return False
        return bool(calls)

    def excuse(self, function: Function, fact: Fact) -> str:
        """Why no reader can be there when ``fact`` happens, "" when nothing says so."""
        owners = self._owners(function, fact)
        found = self.last_reference(function, owners) or self._called_back(function)
        return found or self._with_namespace(function, owners) or self.stated(function, fact)

    def _called_back(self, function: Function) -> str:
        """The RCU callback that calls the function: what it works on was hidden a grace period ago."""
        callers = {caller.name for caller, _ in self.code.callers(function)} | {function.name}
        name = min(callers & self._callbacks, default="")
        return f"runs after a grace period, in {name}()" if name else ""

    def _with_namespace(self, function: Function, owners: frozenset[str]) -> str:
        """The exit hook of the namespace that the owner of the list is of: its readers have gone."""
        hook = gone_with_namespace(self.code, function) if owners & self._handed(function) else ""
        return f"runs when the namespace is gone, in {hook}" if hook else ""

    @cached_property
    def _callbacks(self) -> frozenset[str]:
        return frozenset(place.callback for place in queued(self.code))

    def stated(self, function: Function, fact: Fact) -> str:
        """The comment near a step that says it is meant, in words for a person."""
        step_line = function.flow.steps[fact.step].line
        for match in _COMMENT.finditer(function.text):
            first = function.text.count("\n", 0, match.start()) + 1
            last = first + match[0].count("\n")
            if last - _NEAR <= step_line <= last + _NEAR and first <= step_line + 1 and _INTENT.search(match[0]):
                return "a comment there says why"
        return ""

    def _owners(self, function: Function, fact: Fact) -> frozenset[str]:
        """The variables whose member the list head is: ``kvm`` of ``&kvm->devices``."""
        found: set[str] = set()
        for other in self.code.facts(function):
            if other.variable == fact.variable and other.kind in {FactKind.WALK, FactKind.ADD}:
                step = function.flow.steps[other.step]
                found.update(match[1] for arg in step.args if (match := re.match(r"&?\(?(\w+)(?:->|\.)", arg)))
        return frozenset(found - {fact.variable})

    def last_reference(self, function: Function, owners: frozenset[str]) -> str:
        """Whether a function only runs when the owner of the list has lost its last reference.

        True for the callees of a test such as refcount_dec_and_test(), all callers counted; where the callers are not
        known, a destructor's name is taken for it when the owner is handed to it.
        """
        if owners and not owners & self._handed(function):
            return ""
        chain = self._dropped_by(function, 0, frozenset())
        if chain:
            return f"runs after the last reference is dropped ({chain})"
        ends = _DESTRUCTOR_NAME.search(function.name) or (
            _FREEING_NAME.search(function.name) and owners & self._freed_in(function)
        )
        if ends and owners and not self.code.callers(function):
            return BY_NAME
        return ""

    def _handed(self, function: Function) -> frozenset[str]:
        """The parameters, and what is made of one: ``hub`` of ``hub = to_hub(css)``."""
        made = {
            name
            for name, value in function.aliases.items()
            if any(re.search(rf"\b{re.escape(word)}\b", value) for word in function.parameters if word)
        }
        return frozenset(function.parameters) | made

    def _freed_in(self, function: Function) -> frozenset[str]:
        return frozenset(fact.variable for fact in self.code.facts(function) if fact.kind is FactKind.FREE)

    def _dropped_by(self, function: Function, depth: int, seen: frozenset[Function]) -> str:
        """The function whose reference count test every caller sits behind, "" when some caller does not."""
        callers = self.code.callers(function)
        if not callers or depth > _CHAIN or function in seen:
            return ""
        found: list[str] = []
        for caller, number in callers:
            if _after_last_put(caller, number) or _is_release_callback(caller, function.name):
                found.append(f"{caller.name}()")
                continue
            above = self._dropped_by(caller, depth + 1, seen | {function})
            if not above:
                return ""
            found.append(above)
        return found[0] if found else ""


def _names(function: Function, variable: str) -> frozenset[str]:
    """A variable and the other names that stand for the same object all through the function."""
    aliases = function.aliases
    same = {variable}
    if variable in aliases:
        same.add(aliases[variable])
    same.update(name for name, value in aliases.items() if value == variable)
    return frozenset(same)


def _assigned_at(function: Function, start: int, variable: str) -> int:
    """The step that gives ``variable`` the result of the call at ``start``, else ``start``."""
    steps, following = function.flow.steps, function.flow.next[start]
    if steps[start].target == variable and len(following) == 1:
        after = steps[following[0]]
        if after.kind is StepKind.ASSIGN and after.name == variable:
            return following[0]
    return start


def _says_null(step: Step, names: frozenset[str]) -> bool:
    """Whether an assumption says that the object is not there: nothing to free on this path."""
    return any(
        (step.name == name and not step.truth)
        or (step.name == f"!{name}" and step.truth)
        or (step.name.replace(" ", "") in {f"{name}==NULL", f"NULL=={name}"} and step.truth)
        for name in names
    )


def _defers(step: Step, names: frozenset[str]) -> bool:
    """Whether a step hands the object to something that frees it after a grace period."""
    if step.kind is not StepKind.CALL:
        return False
    place = deferred_argument(step.name)
    if place is not None:
        argument = step.args[place] if len(step.args) > place else ""
        return any(argument == name or re.match(rf"&?\(?{re.escape(name)}(->|\.|$)", argument) for name in names)
    return bool(_DEFER_NAME.search(step.name)) and step.name not in _NO_HANDOVER


def _after_last_put(caller: Function, number: int) -> bool:
    """Whether a step runs only after a reference count was found to be zero."""
    if number < 0:
        return False
    flow = caller.flow
    tested = {
        place
        for place, step in enumerate(flow.steps)
        if step.kind is StepKind.ASSUME and REFERENCE_ZERO.search(step.name) and step.truth != step.name.startswith("!")
    }
    if not tested:
        return False
    reached, pending = set(), [0]  # is the step reached without passing such a test?
    while pending:
        place = pending.pop()
        if place in reached or place in tested:
            continue
        reached.add(place)
        pending.extend(flow.next[place])
    return number not in reached


def _is_release_callback(caller: Function, name: str) -> bool:
    """Whether ``caller`` hands the function to kref_put() and its like."""
    return any(
        step.kind is StepKind.CALL and step.name.startswith(("kref_put", "refcount_dec")) and name in step.args
        for step in caller.flow.steps
    )
