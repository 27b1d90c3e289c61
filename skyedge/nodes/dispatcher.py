"""The mesh's end at a ground site: every answer and picture goes to a cluster, and what fails goes to another.

A dispatcher stands where the plain backhaul to one cloud does.  It keeps what it has sent until the cluster says that it
is done: a transfer that nobody takes within the time-out, or whose pictures are not answered within a longer one, has
failed, and so has one on a cluster of which the control plane says that it serves no more.  What has failed is sent again,
at most so many times, after a pause that grows as Envoy's does; after that it is lost, and the dispatcher says so.

While the control plane says that nobody serves anywhere, nothing is sent and so nothing fails: what lands stays on the
discs of the site, which are taken to have room, until somebody serves.  A dispatcher that is told nothing tries in vain.

A cluster that did not answer last time is asked first whether it is there, as by a connection that has to be made anew: what
goes to a dead cluster is a few bytes then, and not the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skyedge.events import After, Effect, Event, Items, Record, Woken
from skyedge.nodes.cluster_choice import ClusterChoice
from skyedge.nodes.messages import Accepted, Alive, Completed, Message, Probe, Told, settle
from skyedge.nodes.terrestrial_line import TerrestrialLine
from skyedge.time import FOREVER, Instant

REASON = "mesh"
"""Of the wake-ups that are a dispatcher's."""

LONGEST_PAUSE = 10
"""Times the base: where Envoy's pauses stop growing."""


@dataclass(frozen=True)
class DispatchRules:
    """What happens to what fails; times are microseconds."""

    attempts: int
    timeout_us: int
    answer_timeout_us: int
    pause_us: int

    def pause_before_us(self, attempt: int) -> int:
        """Before the ``attempt``-th try again, from 1: the longest that Envoy would draw."""
        return min(2**attempt - 1, LONGEST_PAUSE) * self.pause_us


@dataclass
class _Transfer:
    cluster: str
    items: Items
    attempt: int
    deadline: Instant
    probing: bool = False


@dataclass(frozen=True)
class _Waiting:
    items: Items
    attempt: int
    avoid: str
    at: Instant


@dataclass(frozen=True)
class _Held:
    items: Items
    attempt: int


class Dispatcher:
    """The state machine within a station or an edge node.

    Args:
        choice: which cluster gets what.
        line: into the terrestrial network.
        rules: of failures.
    """

    def __init__(self, choice: ClusterChoice, line: TerrestrialLine, rules: DispatchRules) -> None:
        self._choice = choice
        self._line = line
        self._rules = rules
        self._count = 0
        self._transfers: dict[int, _Transfer] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._held: list[_Held] = []
        self._sent = dict.fromkeys(choice.names, 0)
        self._silent: set[str] = set()
        self._landed = 0
        self._again = 0
        self._lost = 0
        self._kept_back = 0

    def carry(self, items: Items, now: Instant) -> list[Effect]:
        """Send each item to a cluster, no earlier than its ``at``."""
        self._landed += len(items)
        return self._dispatch(items, 0, "", now)

    def earliest_send(self) -> Instant:
        """Nothing is sent again before the first deadline or the end of the first pause."""
        times = [transfer.deadline for transfer in self._transfers.values()]
        return min([*times, *(waiting.at for waiting in self._waiting.values())], default=FOREVER)

    def handle(self, event: Event, now: Instant) -> list[Effect] | None:
        """React to what is the mesh's; None if it is not."""
        match event:
            case Woken(reason=reason, key=key) if reason == REASON:
                return self._wake(key, now)
            case Accepted():
                return [*settle(event, self._line.source), *self._accepted(event, now)]
            case Alive():
                return [*settle(event, self._line.source), *self._alive(event, now)]
            case Completed():
                self._close(event.number)
                return settle(event, self._line.source)
            case Told():
                return [*settle(event, self._line.source), *self._told(event, now)]
            case Message():
                return settle(event, self._line.source)
            case _:
                return None

    def end(self, now: Instant) -> list[Effect]:
        """What is left, and what was done."""
        left = [transfer.items for transfer in self._transfers.values()]
        left += [waiting.items for waiting in self._waiting.values()]
        left += [held.items for held in self._held]
        figures = {
            "node": self._line.source,
            "landed": self._landed,
            "sent": dict(self._sent),
            "sent_again": self._again,
            "kept_back": self._kept_back,
            "lost": self._lost,
            "left": sum(len(items) for items in left),
        }
        return [*self._line.end(now), Record("dispatchers", figures)]

    # ------------------------------------------------------------------------------------------ within

    def _dispatch(self, items: Items, attempt: int, avoid: str, now: Instant) -> list[Effect]:
        if not len(items):
            return []
        if not self._choice.anybody_serves:
            self._kept_back += len(items)
            self._held.append(_Held(items, attempt))
            return []
        chosen: dict[str, list[int]] = {}
        nowhere: list[int] = []
        for row in np.argsort(items.at, kind="stable").tolist():
            cluster = self._choice.choose(now, (avoid,) if avoid else ())
            if cluster is None:
                nowhere.append(row)
            else:
                self._choice.active[cluster] += 1
                chosen.setdefault(cluster, []).append(row)
        effects: list[Effect] = []
        for cluster in sorted(chosen):
            effects += self._submit(cluster, items.take(np.array(sorted(chosen[cluster]))), attempt, now)
        if nowhere:
            effects += self._try_again(items.take(np.array(sorted(nowhere))), attempt, "", now)
        return effects

    def _submit(self, cluster: str, items: Items, attempt: int, now: Instant) -> list[Effect]:
        self._count += 1
        if cluster in self._silent:
            deadline = now + 2 * self._line.latency_us(cluster) + self._rules.timeout_us
            self._transfers[self._count] = _Transfer(cluster, items, attempt, deadline, probing=True)
            probe = self._line.send(cluster, Probe, now, number=self._count)
            return [*probe, After(deadline, REASON, self._count)]
        effects, arrives_at = self._line.carry(cluster, self._count, items, now)
        deadline = arrives_at + self._line.latency_us(cluster) + self._rules.timeout_us
        self._transfers[self._count] = _Transfer(cluster, items, attempt, deadline)
        self._sent[cluster] += len(items)
        self._again += len(items) if attempt else 0
        return [*effects, After(deadline, REASON, self._count)]

    def _alive(self, event: Alive, now: Instant) -> list[Effect]:
        self._silent.discard(event.sender)
        transfer = self._transfers.get(event.number)
        if transfer is None or not transfer.probing:
            return []
        del self._transfers[event.number]
        return self._submit(transfer.cluster, transfer.items, transfer.attempt, now)

    def _accepted(self, event: Accepted, now: Instant) -> list[Effect]:
        transfer = self._transfers.get(event.number)
        if transfer is None:
            return []
        self._silent.discard(event.sender)
        if event.refused:
            return self._fail(event.number, now)
        self._choice.heard(transfer.cluster, event.behind_s, now)
        if not event.pictures:
            self._close(event.number)
            return []
        # What was promised for later takes its time, and the cluster has said how long.
        last = int(transfer.items.at.max())
        transfer.deadline = max(now, last) + round(event.behind_s * 1e6) + self._rules.answer_timeout_us
        return [After(transfer.deadline, REASON, event.number)]

    def _told(self, event: Told, now: Instant) -> list[Effect]:
        self._choice.told(dict(event.replicas))
        gone = {name for name, replicas in event.replicas if replicas <= 0}
        failed = [number for number, transfer in self._transfers.items() if transfer.cluster in gone]
        effects = [effect for number in failed for effect in self._fail(number, now, blame=False)]
        return effects + (self._let_go(now) if self._choice.anybody_serves else [])

    def _let_go(self, now: Instant) -> list[Effect]:
        """Somebody serves: send what was kept back, in the order in which it landed."""
        held, self._held = self._held, []
        return [effect for one in held for effect in self._dispatch(one.items, one.attempt, "", now)]

    def _wake(self, key: int, now: Instant) -> list[Effect]:
        waiting = self._waiting.get(key)
        if waiting is not None and waiting.at <= now:
            del self._waiting[key]
            return self._dispatch(waiting.items, waiting.attempt, waiting.avoid, now)
        transfer = self._transfers.get(key)
        return self._fail(key, now) if transfer is not None and transfer.deadline <= now else []

    def _fail(self, number: int, now: Instant, *, blame: bool = True) -> list[Effect]:
        transfer = self._close(number)
        if transfer is None:
            return []
        if blame:
            self._choice.failed(transfer.cluster, now)
            self._silent.add(transfer.cluster)
        return self._try_again(transfer.items, transfer.attempt, transfer.cluster, now)

    def _try_again(self, items: Items, attempt: int, avoid: str, now: Instant) -> list[Effect]:
        if attempt >= self._rules.attempts:
            self._lost += len(items)
            return [Record("lost", {"node": self._line.source, "scene": items.scene, "kind": items.kind, "at": now})]
        self._count += 1
        at = now + max(1, self._rules.pause_before_us(attempt + 1))
        self._waiting[self._count] = _Waiting(items, attempt + 1, avoid, at)
        return [After(at, REASON, self._count)]

    def _close(self, number: int) -> _Transfer | None:
        transfer = self._transfers.pop(number, None)
        if transfer is not None:
            self._choice.active[transfer.cluster] -= len(transfer.items)
        return transfer
