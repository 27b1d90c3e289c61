"""What a federation is told about: clusters and their nodes, and the workloads that are to run on them.

These objects are the rim: what readers of manifests and experiments make, and what tests write by hand.  Inside, everything
is columns (:mod:`skyedge.layers.federation.columns`).  Conditions on labels are those of the batch scheduler: a cluster is
labelled and tainted as a node is, with a time added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skyedge.layers.scheduler import objects as node_objects
from skyedge.layers.scheduler.labels import NO_SCHEDULE
from skyedge.layers.scheduler.objects import Amounts, PodShape

if TYPE_CHECKING:  # they look at clusters themselves
    from skyedge.layers.federation.placement import PlacementRules
    from skyedge.layers.federation.policy import Resource

PODS = "pods"
"""The resource of which every replica takes one, whatever it asks for; a node that does not mention it has no end of it."""


KEEPS_OFF = (*NO_SCHEDULE, "PreferNoExecute")
"""Effects of a cluster's taints that let nothing new in; the last drives nobody out (it would ask policies, in Karmada)."""


@dataclass(frozen=True)
class Taint(node_objects.Taint):
    """What keeps workloads off a cluster (``NoSchedule``) or drives them away (``NoExecute``)."""

    added_at_s: float | None = None


@dataclass(frozen=True)
class Toleration(node_objects.Toleration):
    """A taint that a workload puts up with, for so many seconds after it was added, or (None) for ever."""

    toleration_s: float | None = None


@dataclass(frozen=True)
class NodePool:
    """Nodes that are alike.

    Attributes:
        count: how many.
        free: what is left on each of them, in the units of :mod:`skyedge.layers.scheduler.objects`; ``pods`` is one of the
            resources, in thousandths like all that is neither processors nor bytes.
        labels, taints: of each of them.
    """

    count: int
    free: Amounts
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[node_objects.Taint, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """A member of a federation; an empty provider or region is not known.

    Attributes:
        pools: its nodes.  A cluster without any has room for nothing.
        api_kinds: kinds that its API server knows, as ``apps/v1/Deployment`` or ``v1/ConfigMap``; None: every kind.
        kinds_complete: whether it knows no others; where that is not sure, who runs there already is not turned away.
        facts: figures for scores, such as ``carbon_g_per_kwh`` or ``latency_ms:PLACE``; see
            :mod:`skyedge.layers.federation.scores`.
        lat_deg, lon_deg: where it is; None: not known.
        ready: whether it answers.  One that does not takes nothing new.
        pulls: whether it asks for its work and renews a lease, as nobody can reach it from outside; else it is probed.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    provider: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    taints: tuple[Taint, ...] = ()
    pools: tuple[NodePool, ...] = ()
    api_kinds: frozenset[str] | None = None
    kinds_complete: bool = True
    facts: Mapping[str, float] = field(default_factory=dict)
    lat_deg: float | None = None
    lon_deg: float | None = None
    ready: bool = True
    pulls: bool = False


@dataclass(frozen=True)
class Demand:
    """Where a workload's users, or its data, come from.

    Attributes:
        place: its name; facts such as ``latency_ms:PLACE`` speak of it.  A satellite is a place too.
        lat_deg, lon_deg: where it is; None: only the facts know.
        weight: how much of the demand comes from here, beside the others.
    """

    place: str
    lat_deg: float | None = None
    lon_deg: float | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Workload:
    """What is to run.

    Attributes:
        resource: what it is.
        replicas: wanted; 0 for what has none, such as a ConfigMap: it goes wherever its rules let it.
        shape: what one replica asks of a node.
        rules: where it may run.  Workloads under one policy share one object.
        uid: its unique name, which decides ties; see :func:`skyedge.layers.federation.division.ties_descend`.
        scheduled: replicas that run already, by cluster.
        evicting: clusters that it is being driven from: it does not go back there.
        barred: clusters that it may not be on, whatever its rules say, each with why, as what is said of the cluster.
        room_limit: by cluster, how many more replicas it may have there, whatever room there is; as quotas say.
        fresh: whether all of it is divided anew, though it runs.
        group: the affinity group that it was placed by; those before it are not tried again, as in Karmada.
        priority: who is first where the room that others leave counts; higher first.
        demand: where it is used, for scores.
        data_bytes: how much of its data lies on which cluster, for scores.
    """

    resource: Resource
    replicas: int
    shape: PodShape
    rules: PlacementRules
    uid: str = ""
    scheduled: Mapping[str, int] = field(default_factory=dict)
    evicting: frozenset[str] = frozenset()
    barred: Mapping[str, str] = field(default_factory=dict)
    room_limit: Mapping[str, int] = field(default_factory=dict)
    fresh: bool = False
    group: str = ""
    priority: int = 0
    demand: tuple[Demand, ...] = ()
    data_bytes: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As NAMESPACE/NAME, or NAME alone."""
        return f"{self.resource.namespace}/{self.resource.name}" if self.resource.namespace else self.resource.name

    @property
    def api_kind(self) -> str:
        """As a cluster's ``api_kinds`` has it: ``apps/v1/Deployment``."""
        return f"{self.resource.api_version}/{self.resource.kind}"
