"""Classes of service: who is served first where requests wait, at an endpoint or on a link.

Two disciplines, neither of which interrupts what is being served.  *Strict*: the most urgent class first, except that what
has waited for longer than ``starvation_limit_us`` comes before all, the longest waiting first, so that urgent traffic
cannot shut out the rest for ever.  *Weighted*: each class gets service in proportion to its weight while it has somebody
waiting, by self-clocked fair queueing (Golestani, 1994).  Within a class: first come, first served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from skyedge.errors import InputError, nearest
from skyedge.layers.mesh.http_match import HttpRequest

Item = TypeVar("Item")


class Discipline(Enum):
    """How classes share."""

    STRICT = "strict"
    WEIGHTED = "weighted"


@dataclass(frozen=True)
class ClassRule:
    """Which requests are of a class; all that is given must hold.

    Attributes:
        service_class: its name.
        headers: values by name.
        caller_labels: values by label.
        routes: names of the routes that a request took; empty is any.
    """

    service_class: str
    headers: Mapping[str, str] = field(default_factory=dict)
    caller_labels: Mapping[str, str] = field(default_factory=dict)
    routes: frozenset[str] = frozenset()

    def holds(self, request: HttpRequest, labels: Mapping[str, str], route: str) -> bool:
        """Whether a request of a caller with these labels, on a route of this name, is of the class."""
        return (
            all(request.header(name) == value for name, value in self.headers.items())
            and all(labels.get(name) == value for name, value in self.caller_labels.items())
            and (not self.routes or route in self.routes)
        )


@dataclass(frozen=True)
class ServiceClasses:
    """The classes, the most urgent first, and which request is of which.

    Attributes:
        weights: by class, for ``WEIGHTED``; one that is not named has 1.
        rules: the first that holds counts.
        default: the class of the others; the last if empty.
        starvation_limit_us: for ``STRICT``; None: urgent traffic may shut out the rest.

    Raises:
        InputError: if there is no class, one is there twice, a word names none, or a weight is not above zero.
    """

    names: tuple[str, ...] = ("normal",)
    rules: tuple[ClassRule, ...] = ()
    default: str = ""
    discipline: Discipline = Discipline.STRICT
    weights: Mapping[str, float] = field(default_factory=dict)
    starvation_limit_us: int | None = None

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise InputError("classes of service need names, each once")
        for word in [rule.service_class for rule in self.rules] + list(self.weights) + [self.default] * bool(self.default):
            if word not in self.names:
                raise InputError(f"there is no class of service '{word}'", nearest=nearest(word, self.names))
        if any(not weight > 0 for weight in self.weights.values()):
            raise InputError("the weight of a class of service must be above zero")
        if self.starvation_limit_us is not None and self.starvation_limit_us <= 0:
            raise InputError("the wait after which nobody comes before must be above zero")

    def number(self, request: HttpRequest, caller_labels: Mapping[str, str], route: str = "") -> int:
        """The number of a request's class, 0 the most urgent."""
        found = next((rule.service_class for rule in self.rules if rule.holds(request, caller_labels, route)), None)
        return self.names.index(found or self.default or self.names[-1])


class WaitingLine(Generic[Item]):
    """Those who wait, by class.

    Args:
        classes: names, discipline and weights.
    """

    def __init__(self, classes: ServiceClasses) -> None:
        self._lines: list[deque[tuple[int, float, Item]]] = [deque() for _ in classes.names]
        self._patience_us = classes.starvation_limit_us
        self._weights: Sequence[float] | None = None
        if classes.discipline is Discipline.WEIGHTED:
            self._weights = [classes.weights.get(name, 1.0) for name in classes.names]
        self._clock = 0.0
        self._last_tag = [0.0] * len(classes.names)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, item: Item, service_class: int, now_us: int, work_us: int = 1) -> None:
        """Somebody begins to wait; ``work_us`` is what serving will take, which weights share out."""
        tag = 0.0
        if self._weights is not None:
            # A line's next tag starts where its last one ended, or at the tag in service if the line was idle.
            tag = max(self._clock, self._last_tag[service_class]) + work_us / self._weights[service_class]
            self._last_tag[service_class] = tag
        self._lines[service_class].append((now_us, tag, item))
        self._size += 1

    def pop(self, now_us: int) -> Item:
        """Who is served next.

        Raises:
            IndexError: if nobody waits.
        """
        lines = [number for number, line in enumerate(self._lines) if line]
        if not lines:
            raise IndexError("nobody waits")
        chosen = lines[0]
        if len(lines) > 1:
            chosen = self._next_of(lines, now_us)
        _, tag, item = self._lines[chosen].popleft()
        self._clock = tag
        self._size -= 1
        return item

    def _next_of(self, lines: Sequence[int], now_us: int) -> int:
        if self._weights is not None:
            return min(lines, key=lambda number: (self._lines[number][0][1], number))
        if self._patience_us is not None:
            oldest = min(lines, key=lambda number: (self._lines[number][0][0], number))
            if now_us - self._lines[oldest][0][0] >= self._patience_us:
                return oldest
        return lines[0]
