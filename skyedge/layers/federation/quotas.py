"""Quotas over many clusters: how much a namespace may take of all of them together, and of each (FederatedResourceQuota).

``overall`` bounds the sum over all clusters: a change that would go beyond it is refused as a whole, as an API server
refuses an object, and what runs stays.  ``static`` bounds single clusters: there it is less room that the estimate sees.
Amounts are those of :mod:`skyedge.layers.scheduler.objects`; a resource that a quota does not name is not bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from skyedge.layers.scheduler.objects import Amounts

UNBOUNDED = 1 << 40


@dataclass(frozen=True)
class Quota:
    """One quota of a namespace.

    Attributes:
        overall: for all clusters together.
        static: for single clusters, by name.
    """

    name: str
    namespace: str
    overall: Amounts
    static: Mapping[str, Amounts] = field(default_factory=dict)


@dataclass(frozen=True)
class Charge:
    """What a workload takes: so many replicas on each cluster, each asking for ``request``."""

    workload: str
    namespace: str
    request: Amounts
    replicas: Mapping[str, int]

    def amount(self, resource: str) -> int:
        """Of one resource, over all clusters."""
        return self.request.get(resource, 0) * sum(self.replicas.values())


@dataclass(frozen=True)
class Refusal:
    """A workload that would go beyond a quota."""

    workload: str
    quota: str
    resource: str
    asked: int
    left: int


class Taken:
    """What runs of some namespaces, by cluster and resource."""

    def __init__(self, namespaces: Iterable[str]) -> None:
        self._by_namespace: dict[str, dict[str, dict[str, int]]] = {name: {} for name in namespaces}

    def add(self, namespace: str, cluster: str, request: Amounts, replicas: int) -> None:
        """So many replicas more, or fewer, each asking for ``request``; of another namespace they do not count."""
        if namespace in self._by_namespace:
            here = self._by_namespace[namespace].setdefault(cluster, {})
            for resource, amount in request.items():
                here[resource] = here.get(resource, 0) + replicas * amount

    def of(self, namespace: str) -> Mapping[str, Amounts]:
        """Amounts on each cluster, by its name."""
        return self._by_namespace.get(namespace, {})


def used(quota: Quota, charges: Iterable[Charge]) -> dict[str, int]:
    """What the workloads of its namespace take of each resource that the quota names."""
    mine = [charge for charge in charges if charge.namespace == quota.namespace]
    return {resource: sum(charge.amount(resource) for charge in mine) for resource in quota.overall}


def admit(
    quotas: Sequence[Quota], running: Mapping[str, Charge], wanted: Sequence[Charge]
) -> tuple[list[Charge], list[Refusal]]:
    """Which changes the quotas let in, one after another in the order given.

    A workload that would take no more than it does now is let in even where its quota is overdrawn.

    Args:
        quotas: of any namespaces; of several of one namespace all must hold.
        running: what runs now, by workload.
        wanted: what is asked for, each in place of what runs of the same workload.

    Returns:
        Those let in, and of the others the first resource of the first quota that stands against them.
    """
    now = dict(running)
    taken = {place: used(quota, now.values()) for place, quota in enumerate(quotas)}
    let_in, refused = [], []
    for charge in wanted:
        before = now.get(charge.workload)
        against = _first_against(quotas, taken, before, charge)
        if against is not None:
            refused.append(against)
            continue
        for place, quota in enumerate(quotas):
            if quota.namespace == charge.namespace:
                for resource in quota.overall:
                    taken[place][resource] += charge.amount(resource) - (before.amount(resource) if before else 0)
        now[charge.workload] = charge
        let_in.append(charge)
    return let_in, refused


def replicas_within(
    quotas: Sequence[Quota], namespace: str, request: Amounts, taken: Mapping[str, Amounts]
) -> dict[str, int]:
    """How many more replicas of a shape the static parts let onto each cluster that they name.

    Args:
        quotas: of any namespaces.
        namespace: of the workload.
        request: of one replica.
        taken: what the namespace takes on each cluster already.
    """
    most: dict[str, int] = {}
    for quota in quotas:
        if quota.namespace != namespace:
            continue
        for cluster, hard in quota.static.items():
            here = taken.get(cluster, {})
            fits = min(
                (
                    max(0, hard[resource] - here.get(resource, 0)) // amount
                    for resource, amount in request.items()
                    if amount > 0 and resource in hard
                ),
                default=UNBOUNDED,
            )
            most[cluster] = min(most.get(cluster, UNBOUNDED), fits)
    return most


def _first_against(
    quotas: Sequence[Quota], taken: Mapping[int, Mapping[str, int]], before: Charge | None, charge: Charge
) -> Refusal | None:
    for place, quota in enumerate(quotas):
        if quota.namespace != charge.namespace:
            continue
        for resource, hard in quota.overall.items():
            more = charge.amount(resource) - (before.amount(resource) if before else 0)
            left = hard - taken[place][resource]
            if more > 0 and more > left:
                return Refusal(charge.workload, quota.name, resource, more, max(left, 0))
    return None
