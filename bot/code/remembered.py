"""A memory that forgets what was not asked for longest once it holds too much."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class Remembered(Generic[ValueT]):
    """Values by key, up to a sum of weights; one heavier than that alone is kept until the next comes."""

    def __init__(self, budget: int) -> None:
        self._kept: OrderedDict[Hashable, tuple[ValueT, int]] = OrderedDict()
        self._budget = self._left = budget
        self._lock = Lock()

    def get(self, key: Hashable) -> ValueT | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: ValueT, weight: int) -> ValueT:
        """Keep a value, and return it."""
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))
            self._kept[key] = value, weight
            self._left += before - weight
            while self._left < 0 and len(self._kept) > 1:
                _, (_, gone) = self._kept.popitem(last=False)
                self._left += gone
        return value

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._left = self._budget

    def of(self, key: Hashable, weight: int, make: Callable[[], ValueT]) -> ValueT:
        """The value kept under a key, made now when there is none."""
        found = self.get(key)
        return found if found is not None else self.put(key, make(), weight)
