"""What a plugin of the scheduler may decide, one method for each point at which it is asked.

A plugin overrides the methods that it has an opinion on; the session asks the plugins tier by tier, as Volcano does.
Plugins keep no account of their own: what is used, by whom and where stands in the session, so that a decision taken back
is taken back everywhere.  Rows (of pods, groups, queues, nodes) are numbers of the snapshot, and a smaller key goes first.

Bring your own as ``package.module:Class`` in the place of a plugin's name.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.columns import Flags, Rows

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

Key = Any
"""What sorts: a number or a tuple of numbers; smaller goes first."""

Floats = NDArray[np.float64]
Arguments = Mapping[str, Any]


class Vote(IntEnum):
    """An answer of a plugin that need not have one."""

    REJECT = -1
    ABSTAIN = 0
    PERMIT = 1


POINTS = {
    "job_order": "enableJobOrder",
    "task_order": "enableTaskOrder",
    "queue_order": "enableQueueOrder",
    "job_ready": "enableJobReady",
    "job_pipelined": "enableJobPipelined",
    "job_starving": "enableJobStarving",
    "job_enqueued": "enableJobEnqueued",
    "allocatable": "enabledAllocatable",
    "overused": "enabledOverused",
    "preemptable": "enablePreemptable",
    "reclaimable": "enableReclaimable",
    "victims": "enabledVictim",
    "preemptive": "enablePreemptive",
    "predicate": "enablePredicate",
    "node_order": "enableNodeOrder",
    "hypernode_order": "enabledHyperNodeOrder",
    "hypernode_gradient": "enabledHyperNodeGradient",
    "hierarchy": "enabledHierarchy",
}
"""The points that a configuration can switch, and the key with which Volcano's configuration does it."""

ALWAYS = frozenset({"job_valid", "victim_queue_order", "predicate_now", "device_choice"})
"""Methods that hold wherever the plugin is present."""


class Plugin:
    """A plugin with no opinion.  Subclasses override methods and are told to ``open`` at the start of a cycle.

    What is not overridden is never called (:func:`overrides`): to abstain costs nothing.
    """

    name: ClassVar[str] = ""
    known_arguments: ClassVar[tuple[str, ...]] = ()
    """Names (or, with a trailing dot, beginnings of names) of the arguments that the plugin reads."""
    packs: bool = False
    """Whether the best node for a pod stays the best, and allowed, for the next pod like it until it is full; nothing is
    promised for pods whose answers are volatile."""
    looks_beyond_shapes: bool = True
    """Whether ``distinguishes``, ``volatile`` and ``predicate_now`` have anything to say in this cycle.  A plugin that
    finds, when it opens, that they do not sets it to False, and then they are not asked and cost nothing."""

    by_amounts: ClassVar[bool] = False
    """Whether two nodes with the same allocatable and idle amounts are equally good."""

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        self.arguments = arguments
        self.hierarchy = hierarchy
        for key in arguments:
            if not any(key == known or (known.endswith(".") and key.startswith(known)) for known in self.known_arguments):
                raise InputError(
                    f"the plugin '{self.name}' has no argument '{key}'", nearest=nearest(key, self.known_arguments)
                )

    def number(self, key: str, default: float) -> float:
        """A numeric argument.

        Raises:
            InputError: if it is none.
        """
        value = self.arguments.get(key, default)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"the argument '{key}' of '{self.name}' should be a number, not '{value}'")
        return number

    def open(self, session: Session) -> None:
        """A cycle begins."""
        self.session = session

    # Orders: the first plugin whose keys differ decides.

    def job_order(self, group: int) -> Key:
        """Which job goes first."""
        raise NotImplementedError

    def task_order(self, pods: Rows) -> Floats:
        """A column of keys, (pods,): which pods of a job go first."""
        raise NotImplementedError

    def queue_order(self, queue: int) -> Key:
        """Which queue goes first."""
        raise NotImplementedError

    def victim_queue_order(self, queue: int, preemptor_queue: int) -> Key:
        """From which queue victims are taken first."""
        raise NotImplementedError

    # Jobs.

    def job_valid(self, group: int) -> str | None:
        """Why the job cannot run as it stands, or None."""
        raise NotImplementedError

    def job_ready(self, group: int) -> bool:
        """Whether enough of the job has been placed for its pods to be bound."""
        raise NotImplementedError

    def pods_until_ready(self, group: int, role: str) -> int:
        """How many more pods of ``role`` may be placed before the answer of ``job_ready`` can change; at least 1."""
        return 1

    def job_pipelined(self, group: int) -> Vote:
        """Whether enough of the job has a place now or soon."""
        raise NotImplementedError

    def job_starving(self, group: int) -> bool:
        """Whether the job should be helped by preempting others."""
        raise NotImplementedError

    def job_enqueued(self, group: int) -> Vote:
        """Whether the job may come in at all."""
        raise NotImplementedError

    # Queues.

    def overused(self, queue: int) -> bool:
        """Whether the queue has all that it deserves."""
        raise NotImplementedError

    def allocatable(self, queue: int, shape: int) -> int:
        """How many more pods of ``shape`` the queue has room for."""
        raise NotImplementedError

    def preemptive(self, queue: int, pod: int) -> bool:
        """Whether the queue may take resources back from others for ``pod``."""
        raise NotImplementedError

    # Victims: a subset of the candidates, or None for no opinion.

    def preemptable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        """Which of the ``candidates`` may be evicted for ``pod``, of another job or the same, in the same queue."""
        raise NotImplementedError

    def reclaimable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        """Which of the ``candidates``, of other queues, may be evicted for ``pod``."""
        raise NotImplementedError

    def victims(self, running: Rows) -> Rows:
        """Which of the ``running`` pods must leave, whoever may come."""
        raise NotImplementedError

    def may_lose(self, pod: int) -> Flags:
        """Which groups could lose a pod to ``pod`` by this plugin's ``preemptable`` at all, (groups,); it may say too
        many, and saves asking about those that it leaves out."""
        raise NotImplementedError

    # Nodes.

    def distinguishes(self, pod: int) -> Hashable:
        """What, beside its shape, makes this plugin see the pod with other eyes; pods alike in it share cached answers."""
        return None

    def volatile(self, pod: int) -> bool:
        """Whether this plugin's answers on nodes for ``pod`` change when a pod is placed on *another* node."""
        return False

    def predicate(self, pod: int) -> Flags:
        """On which nodes the pod may run at all, (nodes,); asked once a cycle for pods that are alike."""
        raise NotImplementedError

    def predicate_ever(self, pod: int) -> Flags:
        """On which nodes the pod could run at some time, (nodes,); all that ``predicate`` allows, unless it is about now."""
        return self.predicate(pod)

    def predicate_now(self, pod: int, nodes: Rows) -> Flags:
        """On which of ``nodes`` it may run as things stand, beside what resources allow, (nodes,)."""
        raise NotImplementedError

    def refusal(self, pod: int, node: int) -> str | None:
        """One clause on why ``node`` is refused, or None."""
        return None

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        """How good each of ``nodes`` is for the pod, more is better, (nodes,).  Plugins' scores add up."""
        raise NotImplementedError

    def tie_order(self, pod: int, nodes: Rows) -> Floats:
        """Which of ``nodes``, all equally good, goes first: the least, (nodes,).  Without a plugin, the first by name."""
        raise NotImplementedError

    def device_choice(self, pod: int, node: int) -> list[int]:
        """Which of the node's devices the pod gets."""
        raise NotImplementedError

    # Network domains.

    def hypernode_gradient(self, group: int) -> list[list[int]]:
        """Domains to try, best kind first; -1 stands for the whole cluster."""
        raise NotImplementedError

    def hypernode_order(self, group: int, hypernodes: Sequence[int]) -> Floats:
        """How good each domain is for the job."""
        raise NotImplementedError


def overrides(plugin: Plugin, method: str) -> bool:
    """Whether ``plugin`` has an opinion on ``method``."""
    return getattr(type(plugin), method) is not getattr(Plugin, method)
