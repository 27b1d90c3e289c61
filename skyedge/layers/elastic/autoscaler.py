"""How many instances should there be?  Autoscalers look at the pool and answer with a number.

An autoscaler is asked when it wished to be, and, if it said so, when work arrives.  It sees what a real one could see: the
queue and the instances, never the future.  What is known ahead, the contact plan, is told to those that have a method
``informed(outlook)`` (see :mod:`skyedge.layers.elastic.contact_plan`).  Bring your own as ``package.module:Class``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, NamedTuple, Protocol, get_type_hints

from skyedge.errors import InputError, nearest
from skyedge.plugins import is_import_path, load_class
from skyedge.profiles import check_value
from skyedge.time import FOREVER, SECOND, Instant, seconds


class PoolView(NamedTuple):
    """What an autoscaler may know of the pool, now."""

    now: Instant
    waiting: int  # items that no instance has begun
    waiting_s: float  # seconds of work in them, for one instance
    busy: int  # instances at work, one item each
    busy_s: float  # seconds of work in the items that they have, begun or not
    idle: int
    coming: int  # instances that start
    target: int  # what was asked for last

    @property
    def items(self) -> int:
        """Items that wait or are worked on."""
        return self.waiting + self.busy

    @property
    def instances(self) -> int:
        """Those that are ready and those that will be."""
        return self.busy + self.idle + self.coming


class Decision(NamedTuple):
    """How many instances there should be, and when to ask again: then, or when work arrives before."""

    instances: int
    ask_again: Instant = FOREVER
    upon_work: bool = False


class Autoscaler(Protocol):
    """A policy of scaling.  It belongs to one pool and may remember."""

    def decide(self, view: PoolView) -> Decision:
        """Decide on what is seen; ``ask_again`` lies after ``view.now``."""
        ...


@dataclass
class Fixed:
    """So many instances, always: a pool that does not scale."""

    instances: int = 1

    def __post_init__(self) -> None:
        _check(self.instances >= 0, "instances of Fixed must not be negative")

    def decide(self, view: PoolView) -> Decision:
        """The same as ever."""
        return Decision(self.instances)


@dataclass
class QueueDepth:
    """So much work for each instance, by the rule of Kubernetes' HorizontalPodAutoscaler.

    desired = ceil(load / target), kept as it is while load is within ``tolerance`` of the target; of the wishes of the last
    ``stabilisation_s`` the greatest counts, so that scaling in is slow.  Defaults are those of HPA: every 15 s, 10 %,
    300 s.  Asleep at zero, it is woken by work, as Knative's activator does.

    Args:
        target_s: seconds of work (waiting or being done) for each instance; 0 to count items.
        target_items: items for each instance, where ``target_s`` is 0.
        period_s: between two looks.
        tolerance: of the load, as a share, that changes nothing.
        stabilisation_s: the window of the wishes.
        growth_factor: at most so many times the instances in one look (HPA's default is 2), or ``growth_step`` more; 0 for
            no limit.
        growth_step: see there.
    """

    target_s: float = 60.0
    target_items: float = 1.0
    period_s: float = 15.0
    tolerance: float = 0.1
    stabilisation_s: float = 300.0
    growth_factor: float = 0.0
    growth_step: int = 4
    _wishes: deque[tuple[Instant, int]] = field(default_factory=deque, repr=False)

    def __post_init__(self) -> None:
        _check(self.target_s >= 0, "target_s of QueueDepth must not be negative")
        _check(self.target_items > 0, "target_items of QueueDepth must be positive")
        _check(self.period_s >= 1e-3, "period_s of QueueDepth must be a millisecond at least")
        _check(self.stabilisation_s >= 0, "stabilisation_s of QueueDepth must not be negative")

    def decide(self, view: PoolView) -> Decision:
        """By the load of now and the wishes of the last while."""
        load, target = view.items / self.target_items, view.instances
        if self.target_s:
            load = (view.waiting_s + view.busy_s) / self.target_s
        within = target > 0 and abs(load / target - 1) <= self.tolerance
        # Work of no length is work too: somebody has to do it.
        wish = target if within else max(math.ceil(load), min(view.items, 1))
        if self.growth_factor and wish > target:
            wish = min(wish, max(math.ceil(target * self.growth_factor), target + self.growth_step))
        while self._wishes and self._wishes[0][0] < view.now - seconds(self.stabilisation_s):
            self._wishes.popleft()
        while self._wishes and self._wishes[-1][1] <= wish:
            self._wishes.pop()
        self._wishes.append((view.now, wish))
        target = self._wishes[0][1]
        if target == 0 and not view.items:
            return Decision(0, FOREVER, upon_work=True)
        return Decision(target, view.now + seconds(self.period_s))


@dataclass
class Concurrency:
    """Items in the pool, averaged, for each instance, by the rule of Knative's pod autoscaler.

    The average over the *stable* window decides.  When that over the *panic* window asks for ``panic_threshold`` times the
    instances that are ready, it decides, and nothing is scaled in until a stable window has passed without.  Defaults are
    Knative's: looks every 2 s, windows of 60 s and 6 s, twice, 70 % of the target in use.
    """

    target_items: float = 1.0
    utilisation: float = 0.7
    period_s: float = 2.0
    stable_window_s: float = 60.0
    panic_window_s: float = 6.0
    panic_threshold: float = 2.0
    _seen: deque[tuple[Instant, int]] = field(default_factory=deque, repr=False)
    _panic_until: Instant = field(default=0, repr=False)
    _panic_peak: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        _check(self.target_items > 0, "target_items of Concurrency must be positive")
        _check(0 < self.utilisation <= 1, "utilisation of Concurrency must lie between 0 and 1")
        _check(self.period_s >= 1e-3, "period_s of Concurrency must be a millisecond at least")
        _check(self.panic_window_s <= self.stable_window_s, "panic_window_s must not be longer than stable_window_s")

    def decide(self, view: PoolView) -> Decision:
        """By the averages of the two windows."""
        now = view.now
        self._seen.append((now, view.items))
        while self._seen[0][0] <= now - seconds(self.stable_window_s):
            self._seen.popleft()
        stable, panic = self._wish(self.stable_window_s, now), self._wish(self.panic_window_s, now)
        if panic >= self.panic_threshold * max(1, view.busy + view.idle):
            self._panic_until = now + seconds(self.stable_window_s)
        if now < self._panic_until:
            self._panic_peak = max(self._panic_peak, panic, view.target)
            return Decision(self._panic_peak, now + seconds(self.period_s))
        self._panic_peak = 0
        if stable == 0 and not view.items:
            self._seen.clear()
            return Decision(0, FOREVER, upon_work=True)
        return Decision(stable, now + seconds(self.period_s))

    def _wish(self, window_s: float, now: Instant) -> int:
        since = now - seconds(window_s)
        inside = [items for at, items in self._seen if at > since]
        return math.ceil(sum(inside) / len(inside) / (self.target_items * self.utilisation))


class Combined:
    """The greatest of several wishes, asked whenever one of them wants to be."""

    def __init__(self, parts: Sequence[Autoscaler]) -> None:
        self.parts = tuple(parts)
        _check(bool(self.parts), "a combination of autoscalers needs at least one")

    def decide(self, view: PoolView) -> Decision:
        """Ask them all."""
        wishes = [part.decide(view) for part in self.parts]
        return Decision(
            max(wish.instances for wish in wishes),
            min(wish.ask_again for wish in wishes),
            any(wish.upon_work for wish in wishes),
        )

    def informed(self, outlook: Any) -> Combined:
        """The same, with those parts informed that want to be."""
        return Combined([part.informed(outlook) if hasattr(part, "informed") else part for part in self.parts])


def make_autoscaler(
    name: str, parameters: Mapping[str, Any], known: Mapping[str, type[Any]], *, where: object = None
) -> Autoscaler:
    """An autoscaler by its name among ``known``, or a user's own at an import path.

    Raises:
        InputError: for an unknown name or parameter, a value of the wrong type, or a class that cannot decide.
    """
    if is_import_path(name):
        cls = load_class(name, where=where)
    elif name in known:
        cls = known[name]
    else:
        raise InputError(f"there is no autoscaler '{name}'", where=where, nearest=nearest(name, known))
    if not callable(getattr(cls, "decide", None)):
        raise InputError(f"{name} is no autoscaler: it lacks a method decide(view)", where=where)
    if is_dataclass(cls):
        types = get_type_hints(cls)
        takes = [each.name for each in fields(cls) if each.init and not each.name.startswith("_")]
        for key, value in parameters.items():
            if key not in takes:
                raise InputError(f"autoscaler {name} has no '{key}'", where=where, nearest=nearest(key, takes))
            check_value(key, value, types[key], where=where)
    try:
        made: Autoscaler = cls(**parameters)
    except InputError as error:
        raise InputError(error.message, where=error.where or where) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"autoscaler {name}: {error}", where=where) from None
    return made


def checked(decision: Decision, now: Instant) -> Decision:
    """The decision, if it is one.

    Raises:
        InputError: if a user's autoscaler wants fewer than no instances, or to be asked in its past.
    """
    if decision.instances < 0:
        raise InputError(f"the autoscaler asks for {decision.instances} instances")
    if decision.ask_again <= now:
        raise InputError(f"the autoscaler wants to be asked again {(now - decision.ask_again) / SECOND:g} s ago")
    return decision


def _check(holds: bool, words: str) -> None:
    if not holds:
        raise InputError(words)
