"""What a policy says of where its workloads may run: the ``placement`` of a propagation policy, as plain values.

Of Karmada all but two things.  ``scores`` weighs what makes a cluster welcome; without it a workload likes best to stay
where it is, as Karmada's does.  ``weigh_by_score`` lets the scores divide the replicas too, which Karmada does not offer
(its issue 6045 asks for it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from skyedge.layers.federation.affinity import ClusterAffinity
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.objects import Toleration
from skyedge.layers.federation.spread import SpreadConstraint


@dataclass(frozen=True)
class AffinityGroup:
    """One of several ways to place a workload; the first that works is taken.

    Attributes:
        name: for messages (``affinityName``).
        affinity: the clusters that are filled first.
        overflow: further tiers: each takes only what has no room on those before it (``overflowAffinities``).
    """

    name: str = ""
    affinity: ClusterAffinity = field(default_factory=ClusterAffinity)
    overflow: tuple[ClusterAffinity, ...] = ()


@dataclass(frozen=True)
class WeightedAffinity:
    """The weight of the clusters that an affinity means; where several mean a cluster, the largest counts."""

    weight: int
    affinity: ClusterAffinity = field(default_factory=ClusterAffinity)


@dataclass(frozen=True)
class PlacementRules:
    """Where workloads may run, and how their replicas are divided.

    Attributes:
        groups: ways to place them, the best first; none at all means every cluster.
        tolerations: taints of clusters that they put up with.
        spread: over how many clusters and regions.
        strategy: how replicas are divided; without a word about it each cluster gets all, as in Karmada.
        static_weights: for ``STATIC_WEIGHT``; clusters that none of them means get nothing, and without any all weigh the
            same.
        scores: how much each score counts, by its name; none: ``locality`` alone, as in Karmada.
        weigh_by_score: for ``DYNAMIC_WEIGHT``: replicas in proportion to room x score, not to room alone.
    """

    groups: tuple[AffinityGroup, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    spread: tuple[SpreadConstraint, ...] = ()
    strategy: Strategy = Strategy.DUPLICATED
    static_weights: tuple[WeightedAffinity, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    weigh_by_score: bool = False

    @property
    def leaves_some(self) -> bool:
        """Whether clusters may be left out that would do: there are to be only so many, or there is a second choice."""
        return len(self.groups) > 1 or any(constraint.max_groups for constraint in self.spread)
