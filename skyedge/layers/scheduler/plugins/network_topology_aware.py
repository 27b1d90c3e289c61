"""Network topology: keep the pods of a job within near network domains (Volcano's plugin ``network-topology-aware``).

Hard: all pods of the job stay under one domain of at most the tier that the job allows; nearer tiers are tried first.
Soft: nodes are only scored, by how near they are to where the job's pods already are.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from skyedge.layers.scheduler.columns import Rows
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin

WHOLE_CLUSTER = -1


class NetworkTopologyAware(Plugin):
    """Domains for jobs that ask for nearness."""

    name = "network-topology-aware"
    known_arguments = ("weight", "hypernode.binpack.cpu", "hypernode.binpack.memory", "hypernode.binpack.resources")

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._weight = self.number("weight", 1)

    def hypernode_gradient(self, group: int) -> list[list[int]]:
        """Domains tier by tier, lowest first, as far up as the job allows.

        Where pods of the job run already, a domain counts with the tier of the smallest domain that holds both.
        """
        snapshot = self.session.snapshot
        domains, topology = snapshot.hypernodes, snapshot.groups.topology[group]
        if topology is None or topology.mode != "hard":
            return [[WHOLE_CLUSTER]]
        top = int(domains.tier.max(initial=0)) + 1
        allowed = top if topology.highest_tier_allowed is None else topology.highest_tier_allowed
        home = self._home(group)
        tiers: dict[int, list[int]] = {}
        for domain in range(len(domains)):
            joint = domain if home is None else domains.lowest_common_ancestor(domain, home)
            tier = int(domains.tier[joint]) if joint >= 0 else top
            if tier <= allowed:
                tiers.setdefault(tier, []).append(domain)
        gradient = [tiers[tier] for tier in sorted(tiers)]
        # The whole cluster is a domain too, one tier above all others.
        return [*gradient, [WHOLE_CLUSTER]] if allowed >= top else gradient

    def _home(self, group: int) -> int | None:
        """The smallest domain that holds what the job has already, or None."""
        session = self.session
        domains, topology = session.snapshot.hypernodes, session.snapshot.groups.topology[group]
        if topology is not None and topology.allocated_hypernode in domains.names:
            return domains.names.index(topology.allocated_hypernode)
        nodes = self._nodes_of(group)
        if not len(nodes):
            return None
        holding = np.flatnonzero(domains.holds[:, nodes].all(axis=1))
        return int(holding[0]) if len(holding) else None

    def _nodes_of(self, group: int) -> Rows:
        nodes = self.session.pod_node[self.session.members(group)]
        return nodes[nodes >= 0]

    def hypernode_order(self, group: int, hypernodes: Sequence[int]) -> Floats:
        """The fuller a domain the better, so that whole ones stay free for jobs that need them."""
        session = self.session
        used = session.total[:, None] * 0 + session.snapshot.nodes.allocatable.T - session.idle
        scores = []
        for domain in hypernodes:
            holds = session.snapshot.hypernodes.holds[domain] if domain >= 0 else slice(None)
            there = session.snapshot.nodes.allocatable[holds].sum(axis=0)[:2]
            share = used[:2, holds].sum(axis=1) / np.maximum(there, 1)
            scores.append(100.0 * float(share.mean()))
        return np.array(scores)

    def distinguishes(self, pod: int) -> Hashable:
        group = int(self.session.snapshot.pods.group[pod])
        return group if self.session.snapshot.groups.topology[group] is not None else None

    def volatile(self, pod: int) -> bool:
        return self.distinguishes(pod) is not None

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        """Share of the job's placed pods that are in the node's domain, averaged over the tiers; 0 to 100."""
        session = self.session
        domains = session.snapshot.hypernodes
        group = int(session.snapshot.pods.group[pod])
        placed = self._nodes_of(group)
        if session.snapshot.groups.topology[group] is None or not len(placed) or not len(domains):
            return np.zeros(len(nodes))
        near = domains.holds[:, placed].sum(axis=1) / len(placed)
        score: Floats = (domains.holds[:, nodes] * near[:, None]).sum(axis=0)
        return score * (100.0 * self._weight / max(1, len(np.unique(domains.tier))))
