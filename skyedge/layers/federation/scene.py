"""What a timeline begins with, and how what was played is told: numbers inside, names and sentences outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.layers.elastic.profile import Image, StartUp
from skyedge.layers.federation.data import Network
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.failover_events import Copies, Event, Timeline
from skyedge.layers.federation.objects import Cluster, Workload
from skyedge.layers.federation.quotas import Quota
from skyedge.layers.federation.rehoming import PolicyHomes
from skyedge.layers.federation.starting import Starting
from skyedge.wording import counted

VERBS = {"leave": "leaves", "have": "has", "go": "goes", "serve": "serves", "are": "is", "stay": "stays"}
"""Of sentences about replicas: how they go on after one replica."""


@dataclass(frozen=True)
class TimelineRow:
    """One thing that happened.

    Attributes:
        at_s: when, on the clock of whoever asked.
        event: the name of an :class:`~skyedge.layers.federation.failover_events.Event` in small letters, or what a planned
            move calls it.
        cluster: where.
        workload: NAMESPACE/NAME; empty if it is about the cluster itself.
        replicas: how many; 0 if it is about the cluster itself.
        words: a sentence for a reader.
    """

    at_s: float
    event: str
    cluster: str
    workload: str
    replicas: int
    words: str


Sentence = Callable[[Event, float, int], str | None]
"""Of what happened, when and on which cluster: what is said of it, with ``{cluster}``, ``{workload}``, ``{replicas}``,
``{bound}`` (:meth:`Scene.bound_to`), and verbs in braces (:data:`VERBS`); None: it is not told."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Clusters by name, workloads that run on them, the more important first, and their replicas by cluster."""

    clusters: Sequence[Cluster]
    names: tuple[str, ...]
    number: Mapping[str, int]
    workloads: tuple[Workload, ...]
    shares: tuple[Mapping[str, int], ...]

    @classmethod
    def of(
        cls, clusters: Sequence[Cluster], workloads: Sequence[Workload], placements: Mapping[str, Mapping[str, int]]
    ) -> Scene:
        """From what was placed.

        Args:
            clusters: their pools hold what is left beside ``placements``.
            workloads: in any order.
            placements: replicas by name of the workload and of the cluster.

        Raises:
            InputError: if a placement names what is not there.
        """
        names = tuple(sorted(cluster.name for cluster in clusters))
        number = {name: place for place, name in enumerate(names)}
        in_order = tuple(sorted(workloads, key=lambda workload: (-workload.priority, workload.name)))
        known = {workload.name for workload in in_order}
        for name, share in placements.items():
            if name not in known:
                raise InputError(f"there is no workload '{name}'", nearest=nearest(name, known))
            stranger = next((cluster for cluster in sorted(share) if cluster not in number), None)
            if stranger is not None:
                raise InputError(f"{name} runs on '{stranger}', which is no cluster", nearest=nearest(stranger, number))
        return cls(clusters, names, number, in_order, tuple(placements.get(one.name, {}) for one in in_order))

    def copies(self) -> Copies:
        """What runs at the beginning and would move, in the order of workloads and clusters.

        A copy of a duplicated workload ends with its cluster if all that its policy lets have one have one already.
        """
        rows = [
            (row, self.number[name], share[name])
            for row, share in enumerate(self.shares)
            for name in sorted(share)
            if share[name] > 0 and self.moves(row)
        ]
        columns = np.array(rows, np.int64).reshape(-1, 3).T
        return Copies.running(columns[0].astype(np.intp), columns[1].astype(np.intp), columns[2])

    def moves(self, row: int) -> bool:
        """Whether a workload moves when its cluster is gone; see :meth:`copies`."""
        rules = self.workloads[row].rules
        return rules.strategy is not Strategy.DUPLICATED or rules.leaves_some or _alone(self.shares[row])

    def bound_to(self, cluster: str) -> str:
        """The names of the workloads whose copies on a cluster do not move: all others that may have one do."""
        return ", ".join(self._bound.get(cluster, ()))

    @cached_property
    def _bound(self) -> dict[str, list[str]]:
        bound: dict[str, list[str]] = {}
        for row, (workload, share) in enumerate(zip(self.workloads, self.shares, strict=True)):
            moves = self.moves(row)
            for cluster, count in share.items():
                if not count or not moves:
                    bound.setdefault(cluster, []).append(workload.name)
        return {cluster: sorted(names) for cluster, names in bound.items()}

    def homes(self, quotas: Sequence[Quota] = ()) -> PolicyHomes:
        """Where copies may go, by the workloads' own policies and within quotas."""
        return PolicyHomes(self.clusters, self.workloads, self.shares, quotas)

    def starting(self, seed: int) -> Starting:
        """How long they take to start: as containers of :mod:`skyedge.layers.elastic.profile`, all in one region."""
        one_region = np.ones((1, 1))
        network = Network(np.zeros(len(self.names), np.intp), one_region, one_region, one_region.astype(np.int64))
        return Starting(StartUp(), Image(), network, len(self.workloads), seed)

    def told(self, timeline: Timeline, sentence: Sentence, names: Mapping[Event, str]) -> list[TimelineRow]:
        """What was played, as rows; what happens to several copies of a workload on a cluster at one moment is one row.

        Args:
            timeline: what was played.
            sentence: what is said of each event.
            names: of events that are called otherwise here.
        """
        told = []
        columns = (timeline.at_s, timeline.event, timeline.workload, timeline.cluster)
        alike: dict[tuple[float, int, int, int], list[int]] = {}
        for row, key in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            alike.setdefault(key, []).append(row)
        counts = timeline.replicas.tolist()
        for (at_s, event, workload, cluster), rows in alike.items():
            what = Event(event)
            said = sentence(what, at_s, cluster)
            if said is None:
                continue
            whose = self.workloads[workload].name if workload >= 0 else ""
            replicas = sum(counts[row] for row in rows)
            verbs = VERBS if replicas == 1 else {verb: verb for verb in VERBS}
            words = said.format(
                cluster=self.names[cluster],
                workload=whose,
                replicas=counted(replicas, "replica(s)"),
                bound="" if whose else self.bound_to(self.names[cluster]),
                **verbs,
            )
            if why := timeline.because.get(rows[0]):
                words = f"{words}: {why}"
            name = names.get(what, what.name.lower().replace("_", " "))
            told.append(TimelineRow(at_s, name, self.names[cluster], whose, replicas, words))
        return told


def _alone(share: Mapping[str, int]) -> bool:
    return sum(count > 0 for count in share.values()) == 1
