"""A federation as columns: what filters and scores ask of a thousand clusters, answered once for each distinct question.

Ten thousand workloads have few policies between them.  An affinity, a list of tolerations or a kind of resource becomes one
row of flags over the clusters, and is remembered.  Labels are numbered: a condition is answered for each value, not for each
cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.affinity import FIELD_OPERATORS, FIELDS, ClusterAffinity, matches_zones
from skyedge.layers.federation.nodes import NodeClass, Nodes, Places
from skyedge.layers.federation.objects import KEEPS_OFF, Cluster, Taint
from skyedge.layers.federation.webster import Figures, Flags
from skyedge.layers.scheduler.labels import meets, tolerates
from skyedge.layers.scheduler.objects import Requirement, Toleration

NOT_READY = Taint("cluster.karmada.io/not-ready", "", "NoSchedule")
"""What a cluster that does not answer counts as carrying, as in Karmada."""


class Federation:
    """Clusters in the order of their names, and their nodes.

    Args:
        clusters: in the order of their names.
        nodes: theirs, in the same order.

    Raises:
        InputError: if two clusters share a name, or the nodes are those of another number of clusters.
    """

    def __init__(self, clusters: Sequence[Cluster], nodes: Nodes) -> None:
        self.clusters = tuple(clusters)
        self.nodes = nodes
        self.names = tuple(cluster.name for cluster in clusters)
        if list(self.names) != sorted(set(self.names)):
            twice = next((one for one, other in zip(self.names, self.names[1:], strict=False) if one >= other), "")
            raise InputError(f"the clusters of a federation have distinct names, in order; see '{twice}'")
        if nodes.clusters != len(self.clusters):
            raise InputError(f"there are {len(self.clusters)} clusters, and nodes of {nodes.clusters}")
        self._columns = {name: column for column, name in enumerate(self.names)}
        self._labels: dict[str, tuple[Places, dict[str | None, int]]] = {}
        self._rows: dict[Hashable, Flags] = {}

    @classmethod
    def of(cls, clusters: Collection[Cluster]) -> Federation:
        """Clusters in any order, with the nodes of their pools.

        Raises:
            InputError: if two clusters share a name.
        """
        by_name = {cluster.name: cluster for cluster in clusters}
        if len(by_name) < len(clusters):
            names = [cluster.name for cluster in clusters]
            twice = next(name for name in sorted(by_name) if names.count(name) > 1)
            raise InputError(f"two clusters are called '{twice}'")
        ordered = [by_name[name] for name in sorted(by_name)]
        return cls(ordered, Nodes.of_pools([cluster.pools for cluster in ordered]))

    @classmethod
    def of_arrays(
        cls,
        clusters: Sequence[Cluster],
        node_cluster: Places,
        free: Mapping[str, NDArray[np.generic]],
        node_class: Places | None = None,
        classes: Sequence[NodeClass] = (NodeClass(),),
        count: NDArray[np.generic] | None = None,
    ) -> Federation:
        """Clusters in the order of their names, their pools not looked at, with nodes as columns.

        The columns are those of :meth:`skyedge.layers.federation.nodes.Nodes.of_arrays`, which says what may be wrong.
        """
        return cls(clusters, Nodes.of_arrays(len(clusters), node_cluster, free, node_class, classes, count))

    def __len__(self) -> int:
        """How many clusters."""
        return len(self.clusters)

    def column(self, name: str) -> int | None:
        """The place of a cluster; None: it is no member."""
        return self._columns.get(name)

    def columns(self, names: Collection[str]) -> list[int]:
        """The places of clusters, in order.

        Raises:
            InputError: if one is no member.
        """
        for name in names:
            if name not in self._columns:
                raise InputError(f"there is no cluster '{name}'", nearest=nearest(name, self.names))
        return sorted(self._columns[name] for name in names)

    def with_cluster(self, cluster: Cluster) -> Federation:
        """The same with a member as it is now.

        Raises:
            InputError: if it is none.
        """
        (place,) = self.columns([cluster.name])
        changed = (*self.clusters[:place], cluster, *self.clusters[place + 1 :])
        same_nodes = cluster.pools is self.clusters[place].pools
        return Federation(changed, self.nodes if same_nodes else self.nodes.with_pools(place, cluster.pools))

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """Those that clusters lie in, by name."""
        return tuple(sorted({cluster.region for cluster in self.clusters} - {""}))

    @cached_property
    def region_members(self) -> list[Places]:
        """The clusters of each region, in order."""
        number = {name: place for place, name in enumerate(self.regions)}
        of = np.array([number.get(cluster.region, -1) for cluster in self.clusters], np.intp)
        return [np.flatnonzero(of == place) for place in range(len(self.regions))]

    def fact(self, name: str) -> Figures:
        """A figure of each cluster, (clusters,); not a number where it is not known."""
        return np.array([cluster.facts.get(name, np.nan) for cluster in self.clusters], np.float64)

    @cached_property
    def positions_deg(self) -> Figures:
        """Latitude and longitude, (clusters, 2); not numbers where they are not known."""
        pairs = [
            (np.nan, np.nan) if one.lat_deg is None or one.lon_deg is None else (one.lat_deg, one.lon_deg)
            for one in self.clusters
        ]
        return np.array(pairs, np.float64).reshape(-1, 2)

    @cached_property
    def everywhere(self) -> Flags:
        """All clusters, (clusters,)."""
        return np.ones(len(self.clusters), np.bool_)

    def knows_kind(self, api_kind: str) -> Flags:
        """Whose API server knows a kind such as ``apps/v1/Deployment``, (clusters,)."""
        return self._row(
            ("kind", api_kind), lambda: [one.api_kinds is None or api_kind in one.api_kinds for one in self.clusters]
        )

    def may_know_kind(self, api_kind: str) -> Flags:
        """Whose API server knows a kind, or has not said all that it knows, (clusters,)."""
        unsure = self._row("unsure", lambda: [not one.kinds_complete for one in self.clusters])
        return self.knows_kind(api_kind) | unsure

    def tolerated(self, tolerations: Sequence[Toleration]) -> Flags:
        """Whose taints let in who has these tolerations, (clusters,); a cluster that is not ready has one more."""

        def ask() -> list[bool]:
            verdicts = [
                all(taint.effect not in KEEPS_OFF or tolerates(tolerations, taint) for taint in taints)
                for taints in self._taint_sets[1]
            ]
            return [verdicts[number] for number in self._taint_sets[0]]

        return self._row(("taints", tuple(tolerations)), ask)

    def has_fields(self, names: Collection[str]) -> Flags:
        """Which clusters say all that workloads are to be spread by, (clusters,)."""
        flags = self.everywhere.copy()
        for name in sorted(set(names) & set(FIELDS)):
            flags &= self._has_field(name)
        return flags

    def _has_field(self, name: str) -> Flags:
        return self._row(("field", name), lambda: [bool(_field(one, name)) for one in self.clusters])

    def matches(self, affinity: ClusterAffinity) -> Flags:
        """Which clusters an affinity means, (clusters,): :func:`affinity.matches_affinity` of each.

        Raises:
            InputError: if a field selector has a field or an operator that there is not.
        """
        key = (
            affinity.cluster_names,
            affinity.exclude_clusters,
            tuple(sorted(affinity.match_labels.items())),
            affinity.match_expressions,
            affinity.field_selector,
        )

        def ask() -> Flags:
            flags = self._named(affinity.cluster_names) if affinity.cluster_names else self.everywhere.copy()
            flags[self._named(affinity.exclude_clusters)] = False
            for name, value in affinity.match_labels.items():
                flags &= self._labelled(Requirement(name, "In", (value,)))
            for requirement in affinity.match_expressions:
                flags &= self._labelled(requirement)
            for requirement in affinity.field_selector:
                flags &= self._with_field(requirement)
            return flags

        return self._row(("affinity", key), ask)

    def _named(self, names: Collection[str]) -> Flags:
        flags = np.zeros(len(self.clusters), np.bool_)
        flags[[self._columns[name] for name in names if name in self._columns]] = True
        return flags

    def _labelled(self, requirement: Requirement) -> Flags:
        """On whose labels a condition holds, (clusters,)."""
        found = self._labels.get(requirement.key)
        if found is None:
            number: dict[str | None, int] = {}
            values = (one.labels.get(requirement.key) for one in self.clusters)
            numbered = [number.setdefault(value, len(number)) for value in values]
            found = self._labels[requirement.key] = np.array(numbered, np.intp), number
        codes, number = found
        if requirement.operator in ("In", "NotIn"):
            table = np.zeros(len(number), np.bool_)
            table[[number[value] for value in requirement.values if value in number]] = True
            table ^= requirement.operator == "NotIn"
        else:
            table = np.array([meets(requirement, value) for value in number], np.bool_)
        return table[codes]

    def _with_field(self, requirement: Requirement) -> Flags:
        if requirement.operator not in FIELD_OPERATORS:
            right = nearest(requirement.operator, FIELD_OPERATORS)
            raise InputError(f"a field selector has no operator '{requirement.operator}'", nearest=right)
        if requirement.key not in FIELDS:
            right = nearest(requirement.key, FIELDS)
            raise InputError(f"a field selector knows provider, region and zone, not '{requirement.key}'", nearest=right)

        def ask() -> list[bool]:
            verdicts = {
                zones: matches_zones(zones, requirement)
                for zones in {_field(cluster, requirement.key) for cluster in self.clusters}
            }
            return [verdicts[_field(cluster, requirement.key)] for cluster in self.clusters]

        return self._row(("selector", requirement), ask)

    @cached_property
    def _taint_sets(self) -> tuple[list[int], list[tuple[Taint, ...]]]:
        """The number of each cluster's set of taints, and the sets."""
        number: dict[tuple[Taint, ...], int] = {}
        carried = [one.taints if one.ready else (*one.taints, NOT_READY) for one in self.clusters]
        return [number.setdefault(taints, len(number)) for taints in carried], list(number)

    def _row(self, key: Hashable, ask: Callable[[], Sequence[bool] | Flags]) -> Flags:
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = np.asarray(ask(), np.bool_)
            found.flags.writeable = False
        return found


def _field(cluster: Cluster, name: str) -> tuple[str, ...]:
    """The values of a field; a provider and a region are one, if they are known."""
    if name == "zone":
        return cluster.zones
    value = cluster.provider if name == "provider" else cluster.region
    return (value,) if value else ()
