"""A host carries many nodes and runs them in virtual time, knowing nothing of where it runs itself.

The same class serves the in-process engine and the Ray actors.  It owns one event heap, the storage that survives
a reboot of its nodes, its part of the ledger and of the records.  It may run ahead to the *horizon* that it is
given, the earliest moment at which another host could reach one of its nodes, and no further.

Events of one node are handled in the order (time, sender, sender's count), which depends on no host; so an answer
cannot depend on how the nodes were dealt out.
"""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from skyedge.errors import CausalityError
from skyedge.events import (
    Account,
    After,
    Effect,
    Ended,
    Event,
    Infer,
    Inferred,
    Persist,
    Rebooted,
    Record,
    Send,
    Started,
    Woken,
)
from skyedge.ledger import Ledger, Link
from skyedge.nodes.node import Node
from skyedge.time import FOREVER, Instant


class Executor(Protocol):
    """Answers :class:`~skyedge.events.Infer`."""

    def logits(self, model: str, view: str, scenes: NDArray[np.int32]) -> NDArray[np.float32]:
        """One row of logits a scene, float32 (scenes, classes)."""
        ...


class Message(msgspec.Struct, frozen=True, eq=False):
    """An event on its way from one node to another."""

    at: Instant
    target: str
    source: str
    sequence: int
    event: Event


class Report(msgspec.Struct, frozen=True, eq=False):
    """What a host says when it reaches its horizon.

    ``earliest_sends`` holds, for each node that may send without hearing anything new, the earliest time of that.
    """

    outbox: list[Message]
    earliest_sends: dict[str, Instant]
    next_event: Instant
    events: int


class Reboot(msgspec.Struct, frozen=True):
    """A planned loss of power of one node."""

    node: str
    at: Instant


class Harvest(msgspec.Struct, frozen=True, eq=False):
    """What a host leaves at the end: its ledger and its records, each tagged (time, node rank, order)."""

    ledger: Ledger
    records: list[tuple[Instant, int, int, str, dict[str, Any]]]
    events: int


def _round_up(instant: Instant, quantum: int) -> Instant:
    return -(-instant // quantum) * quantum


class Host:
    """Runs ``nodes`` from ``start`` to ``end``.

    Args:
        nodes: the nodes carried here.
        ranks: rank of every node of the world, the same in every host; it decides the order of simultaneous events.
        executor: answers inference.
        exchange_quantum: grid, in microseconds, on which always-open links deliver.
        reboots: planned losses of power of the nodes carried here.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        ranks: Mapping[str, int],
        executor: Executor,
        start: Instant,
        end: Instant,
        exchange_quantum: int,
        reboots: Sequence[Reboot] = (),
    ) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._ranks = dict(ranks)
        self._executor = executor
        self._end = end
        self._quantum = exchange_quantum
        self._heap: list[tuple[Instant, int, int, int, Event, Node]] = []
        self._sequence = dict.fromkeys(self._nodes, 0)
        self._arrivals: dict[str, list[Instant]] = {name: [] for name in self._nodes}
        self._storage: dict[str, dict[str, Any]] = {name: {} for name in self._nodes}
        self._outbox: list[Message] = []
        self._ledger = Ledger()
        self._records: list[tuple[Instant, int, int, str, dict[str, Any]]] = []
        self._handled = 0
        self._carry_out: dict[type[Effect], Callable[[Any, Node, Instant], None]] = {
            Send: self._send,
            After: self._wake_later,
            Infer: self._infer,
            Persist: self._persist,
            Account: self._account,
            Record: self._record,
        }
        for node in nodes:
            self._schedule(node, start, Started())
        for reboot in reboots:
            if reboot.node in self._nodes:
                self._schedule(self._nodes[reboot.node], reboot.at, Rebooted(storage={}))

    # ---------------------------------------------------------------------------------- from outside

    def advance(self, horizon: Instant, inbox: Sequence[Message] = ()) -> Report:
        """Take in ``inbox``, handle every event before ``horizon`` (and before the end), and report.

        Raises:
            CausalityError: if a message comes too late, or a node acts in its own past.
        """
        for message in inbox:
            self._take_in(message)
        limit = min(horizon, self._end)
        heap, carry_out = self._heap, self._carry_out
        handled = 0
        while heap and heap[0][0] < limit:
            now, rank, sender, _, event, node = heapq.heappop(heap)
            if sender != rank:
                heapq.heappop(self._arrivals[node.name])
            if type(event) is Rebooted:
                event = Rebooted(storage=dict(self._storage[node.name]))
            for effect in node.handle(event, now):
                carry_out[type(effect)](effect, node, now)
            handled += 1
        self._handled += handled
        outbox, self._outbox = self._outbox, []
        return Report(outbox, self._earliest_sends(), heap[0][0] if heap else FOREVER, handled)

    def harvest(self) -> Harvest:
        """Tell every node that the run is over, and hand over what was written."""
        for node in self._nodes.values():
            for effect in node.handle(Ended(), self._end):
                if isinstance(effect, Account | Record):
                    self._carry_out[type(effect)](effect, node, self._end)
        return Harvest(self._ledger, self._records, self._handled)

    def checkpoint(self) -> bytes:
        """Everything that a host needs to go on from here, models apart."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("_executor", "_carry_out")}
        return pickle.dumps(state, protocol=pickle.HIGHEST_PROTOCOL)

    def restore(self, checkpoint: bytes) -> None:
        """Go back to the state of ``checkpoint``."""
        self.__dict__.update(pickle.loads(checkpoint))

    # ---------------------------------------------------------------------------------- within

    def _earliest_sends(self) -> dict[str, Instant]:
        bounds = {}
        for name, node in self._nodes.items():
            arrivals = self._arrivals[name]
            bound = min(node.earliest_send(), arrivals[0] if arrivals else FOREVER)
            if bound < FOREVER:
                bounds[name] = bound
        return bounds

    def _next_sequence(self, node: Node) -> int:
        self._sequence[node.name] += 1
        return self._sequence[node.name]

    def _schedule(self, node: Node, at: Instant, event: Event) -> None:
        rank = self._ranks[node.name]
        heapq.heappush(self._heap, (at, rank, rank, self._next_sequence(node), event, node))

    def _take_in(self, message: Message) -> None:
        node = self._nodes[message.target]
        entry = (message.at, self._ranks[message.target], self._ranks[message.source], message.sequence, message.event)
        heapq.heappush(self._heap, (*entry, node))
        heapq.heappush(self._arrivals[message.target], message.at)

    def _send(self, effect: Send, node: Node, now: Instant) -> None:
        at = effect.at if effect.link == "contact" else _round_up(effect.at, self._quantum)
        if at < now:
            raise CausalityError(f"{node.name} sent to {effect.target} into its own past")
        message = Message(at, effect.target, node.name, self._next_sequence(node), effect.event)
        if effect.target in self._nodes:
            self._take_in(message)
        else:
            self._outbox.append(message)

    def _wake_later(self, effect: After, node: Node, now: Instant) -> None:
        if effect.at < now:
            raise CausalityError(f"{node.name} asked to be woken in its own past for '{effect.reason}'")
        self._schedule(node, effect.at, Woken(effect.reason, effect.key))

    def _infer(self, effect: Infer, node: Node, now: Instant) -> None:
        logits = self._executor.logits(effect.model, effect.view, effect.scenes)
        self._schedule(node, max(effect.at, now), Inferred(effect.token, effect.scenes, logits))

    def _persist(self, effect: Persist, node: Node, now: Instant) -> None:
        if effect.value is None:
            self._storage[node.name].pop(effect.key, None)
        else:
            self._storage[node.name][effect.key] = effect.value

    def _account(self, effect: Account, node: Node, now: Instant) -> None:
        link = Link(effect.source, effect.destination, effect.segment, effect.traffic, effect.hops)
        self._ledger.post(link, effect.state, effect.size_bytes, effect.objects)

    def _record(self, effect: Record, node: Node, now: Instant) -> None:
        self._records.append((now, self._ranks[node.name], len(self._records), effect.table, effect.columns))
