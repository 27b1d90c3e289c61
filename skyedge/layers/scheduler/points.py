"""Asking the plugins, tier by tier, as Volcano's framework does.

Orders: the first plugin whose keys differ decides, so keys line up in a tuple.  Votes: a rejection decides at once; a
tier with a permission decides when all of it has been asked.  Victims: answers within a tier intersect; the first tier
with an answer wins.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Rows
from skyedge.layers.scheduler.configuration import Configuration
from skyedge.layers.scheduler.plugin import ALWAYS, POINTS, Floats, Key, Plugin, Vote, overrides

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

NO_LIMIT = 1 << 40
"""More pods than any run has."""

Answer = list[int] | None


class Points:
    """The plugins of a cycle, sorted by what they are asked."""

    def __init__(self, configuration: Configuration, session: Session) -> None:
        self._session = session
        tiers = configuration.plugins()
        self.plugins: list[Plugin] = [plugin for tier in tiers for _, plugin in tier]
        for plugin in self.plugins:
            plugin.open(session)

        def asked(method: str) -> list[list[Plugin]]:
            return [
                [p for option, p in tier if (method in ALWAYS or method in option.points) and overrides(p, method)]
                for tier in tiers
            ]

        self._tiers = {method: asked(method) for method in (*POINTS, *ALWAYS) if hasattr(Plugin, method)}
        self._flat = {method: [plugin for tier in rows for plugin in tier] for method, rows in self._tiers.items()}
        self.limiting = self._flat["allocatable"]
        self.admitting = self._flat["job_enqueued"]
        self.scoring = self._flat["node_order"]
        self.judging_victims = self._flat["preemptable"]
        self.filtering = self._flat["predicate"]
        self.filtering_now = [plugin for plugin in self._flat["predicate_now"] if plugin.looks_beyond_shapes]
        self.packs = all(plugin.packs for plugin in (*self.scoring, *self.filtering_now))
        asked_on_nodes = dict.fromkeys((*self.scoring, *self.filtering, *self.filtering_now))  # each of them once
        seeing = [plugin for plugin in asked_on_nodes if plugin.looks_beyond_shapes]
        self._distinguishing = [plugin for plugin in seeing if overrides(plugin, "distinguishes")]
        self.distinguishes = bool(self._distinguishing)
        self._volatile = [plugin for plugin in seeing if overrides(plugin, "volatile")]
        self.hierarchical = any(plugin.hierarchy for plugin in self._flat["queue_order"])

    # Orders.

    def job_key(self, group: int) -> Key:
        """What sorts jobs: plugins' keys, then age and name, which the row number holds."""
        return (*[plugin.job_order(group) for plugin in self._flat["job_order"]], group)

    def queue_key(self, queue: int) -> Key:
        """What sorts queues."""
        return (*[plugin.queue_order(queue) for plugin in self._flat["queue_order"]], queue)

    def sort_pods(self, pods: Rows) -> Rows:
        """Pods of one group or many in the order in which each group's are placed, groups kept apart."""
        columns = [plugin.task_order(pods) for plugin in reversed(self._flat["task_order"])]
        return pods[np.lexsort((pods, *columns, self._session.snapshot.pods.group[pods]))]

    def victim_order(self, victims: Sequence[int], preemptor: int) -> list[int]:
        """Victims, the first to go first: the queue's order, then the least important job, then the least pod.

        The age and the name of a job come last of all: among jobs that are alike, their pods decide.
        """
        session, pods = self._session, self._session.snapshot.pods
        mine = session.queue_of(preemptor)
        rows = np.array(sorted(victims), np.intp)
        columns = [plugin.task_order(rows) for plugin in reversed(self._flat["task_order"])]
        rank = {int(pod): number for number, pod in enumerate(rows[np.lexsort((rows, *columns))])}

        queue_of = {int(pod): session.queue_of(int(pod)) for pod in rows}
        queue_keys = {queue: self.queue_key(queue) for queue in set(queue_of.values())}
        job_keys = {group: self.job_key(group)[:-1] for group in set(pods.group[rows].tolist())}
        ordered = sorted(
            rank, key=lambda pod: (queue_keys[queue_of[pod]], job_keys[int(pods.group[pod])], rank[pod]), reverse=True
        )
        nearer = self._flat["victim_queue_order"]
        if nearer:
            near = {queue: tuple(plugin.victim_queue_order(queue, mine) for plugin in nearer) for queue in queue_keys}
            ordered.sort(key=lambda pod: near[queue_of[pod]])
        return ordered

    # Jobs.

    def job_invalid(self, group: int) -> str | None:
        """Why a job cannot run as it stands, or None."""
        answers = (plugin.job_valid(group) for plugin in self._flat["job_valid"])
        return next((reason for reason in answers if reason is not None), None)

    def least_pods(self, group: int) -> int:
        """How few pods of the job may start: its gang, where a plugin waits for one, else a single pod."""
        least = int(self._session.snapshot.groups.min_member[group]) if self._flat["job_ready"] else 1
        return max(1, least)

    def job_ready(self, group: int) -> bool:
        """Whether all plugins say that enough is placed."""
        return all(plugin.job_ready(group) for plugin in self._flat["job_ready"])

    def pods_until_ready(self, group: int, role: str) -> int:
        """How many more pods may be placed before it is worth asking again whether the job is ready."""
        counts = [plugin.pods_until_ready(group, role) for plugin in self._flat["job_ready"]]
        return max(1, min(counts)) if counts else 1

    def job_pipelined(self, group: int) -> bool:
        """Whether the job may keep what is reserved for it."""
        return self._vote("job_pipelined", group)

    def job_enqueueable(self, group: int) -> bool:
        """Whether the job may come in."""
        return self._vote("job_enqueued", group)

    def job_starving(self, group: int) -> bool:
        """Whether a tier of plugins says, with one voice, that the job is starving."""
        for tier in self._tiers["job_starving"]:
            if tier:
                return all(plugin.job_starving(group) for plugin in tier)
        return False

    def _vote(self, method: str, group: int) -> bool:
        for tier in self._tiers[method]:
            permitted = False
            for plugin in tier:
                vote: Vote = getattr(plugin, method)(group)
                if vote is Vote.REJECT:
                    return False
                permitted |= vote is Vote.PERMIT
            if permitted:
                return True
        return True

    # Queues.

    def overused(self, queue: int) -> bool:
        """Whether any plugin says that the queue has enough."""
        return any(plugin.overused(queue) for plugin in self._flat["overused"])

    def allocatable(self, queue: int, shape: int) -> int:
        """How many more pods of ``shape`` the queue may have."""
        rooms = [plugin.allocatable(queue, shape) for plugin in self._flat["allocatable"]]
        return max(0, min(rooms)) if rooms else NO_LIMIT

    def preemptive(self, queue: int, pod: int) -> bool:
        """Whether the queue may take back from others for ``pod``."""
        return all(plugin.preemptive(queue, pod) for plugin in self._flat["preemptive"])

    # Victims.

    def preemptable(self, pod: int, candidates: Sequence[int]) -> list[int]:
        """Who may be evicted in the same queue."""
        return self._victims("preemptable", pod, candidates)

    def may_lose(self, pod: int) -> Flags:
        """Which groups could lose a pod to ``pod`` in the same queue, by what plugins can say of groups alone: all that
        every plugin of some tier would let go."""
        nobody: Flags = np.zeros(len(self._session.snapshot.groups), np.bool_)
        for tier in self._tiers["preemptable"]:
            if tier:
                some = [plugin.may_lose(pod) for plugin in tier if overrides(plugin, "may_lose")]
                nobody |= np.all(some, axis=0) if some else True
        return nobody

    def reclaimable(self, pod: int, candidates: Sequence[int]) -> list[int]:
        """Who may be evicted in other queues."""
        return self._victims("reclaimable", pod, candidates)

    def victims(self, running: Rows) -> list[int]:
        """Running pods that must leave: those of the first tier that names any, as one plugin or another of it says."""
        for tier in self._tiers["victims"]:
            chosen = {int(pod) for plugin in tier for pod in plugin.victims(running)}
            if chosen:
                return sorted(chosen)
        return []

    def _victims(self, method: str, pod: int, candidates: Sequence[int]) -> list[int]:
        tiers = ([lambda p=plugin: getattr(p, method)(pod, candidates) for plugin in tier] for tier in self._tiers[method])
        return first_answer(tiers) or []

    # Nodes.

    def kind(self, pod: int) -> Hashable:
        """Pods of one kind get the same answers about nodes."""
        shape = int(self._session.snapshot.pods.shape[pod])
        if not self._distinguishing:
            return shape
        return (shape, *[plugin.distinguishes(pod) for plugin in self._distinguishing])

    def volatile(self, pod: int) -> bool:
        """Whether what is known about nodes for ``pod`` is stale after every placement."""
        return any(plugin.volatile(pod) for plugin in self._volatile)

    def allowed(self, pod: int) -> Flags:
        """On which nodes the pod may run at all, resources apart."""
        return self._allowed([plugin.predicate(pod) for plugin in self.filtering], pod)

    def allowed_ever(self, pod: int) -> Flags:
        """On which nodes it could run at some time, though hours or load may speak against it now."""
        return self._allowed([plugin.predicate_ever(pod) for plugin in self.filtering], pod)

    def _allowed(self, answers: Sequence[Flags], pod: int) -> Flags:
        snapshot = self._session.snapshot
        flags: Flags = np.ones(len(snapshot.nodes), np.bool_)
        for answer in answers:
            flags &= answer
        shape = snapshot.shapes[snapshot.pods.shape[pod]]
        if shape.device_models:
            flags &= np.isin(snapshot.nodes.device_model, shape.device_models)
        return flags

    def allowed_now(self, pod: int, nodes: Rows) -> Flags:
        """On which of ``nodes`` it may run as things stand."""
        flags: Flags = np.ones(len(nodes), np.bool_)
        for plugin in self.filtering_now:
            flags &= plugin.predicate_now(pod, nodes)
        return flags

    def score(self, pod: int, nodes: Rows) -> Floats:
        """How good each node is for the pod."""
        total: Floats = np.zeros(len(nodes))
        for plugin in self.scoring:
            total += plugin.node_order(pod, nodes)
        return total

    def device_choice(self, pod: int, node: int) -> list[int]:
        """Devices for the pod: by a plugin, else the fullest that have room, so that whole ones stay whole."""
        for plugin in self._flat["device_choice"]:
            return plugin.device_choice(pod, node)
        session = self._session
        shape = session.snapshot.shapes[session.snapshot.pods.shape[pod]]
        free = session.devices_free[node]
        roomy = np.flatnonzero(free >= shape.device_milli)
        chosen: list[int] = roomy[np.argsort(free[roomy], kind="stable")][: shape.device_count].tolist()
        return chosen

    # Network domains.

    def hypernode_gradient(self, group: int) -> list[list[int]]:
        """Domains to try, tier by tier; the first plugin that has an opinion gives it."""
        for plugin in self._flat["hypernode_gradient"]:
            return plugin.hypernode_gradient(group)
        return [[-1]]

    def hypernode_score(self, group: int, hypernodes: Sequence[int]) -> Floats:
        """How good each domain is for the job."""
        total: Floats = np.zeros(len(hypernodes))
        for plugin in self._flat["hypernode_order"]:
            total += plugin.hypernode_order(group, hypernodes)
        return total


def first_answer(tiers: Any) -> Answer:
    """Victims by tiers of answers, each a function without arguments: None abstains, an empty list ends its tier."""
    asked: Callable[[], Answer]
    for tier in tiers:
        victims: Answer = None
        for asked in tier:
            answer = asked()
            if answer is None:
                continue
            if not answer:
                victims = None
                break
            chosen = set(answer)
            victims = answer if victims is None else [pod for pod in victims if pod in chosen]
        if victims:
            return victims
    return None
