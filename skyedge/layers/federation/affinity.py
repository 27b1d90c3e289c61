"""Which clusters a workload may run on, and how welcome it is there: Karmada's filters and its score of locality."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.objects import KEEPS_OFF, Cluster, Toleration
from skyedge.layers.scheduler.labels import meets, meets_all, tolerates
from skyedge.layers.scheduler.objects import Requirement

FIELDS = ("provider", "region", "zone")
"""Of a cluster that a field selector and a spread constraint may name."""

FIELD_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

HIGHEST_SCORE = 100


@dataclass(frozen=True)
class ClusterAffinity:
    """Clusters by name, label and field; what is left empty holds for all.

    Attributes:
        cluster_names: only these.
        exclude_clusters: not these, whatever else holds.
        match_labels, match_expressions: conditions on labels, all of which must hold.
        field_selector: conditions on provider, region and zones, all of which must hold.
    """

    cluster_names: tuple[str, ...] = ()
    exclude_clusters: tuple[str, ...] = ()
    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()
    field_selector: tuple[Requirement, ...] = ()


def matches_affinity(cluster: Cluster, affinity: ClusterAffinity) -> bool:
    """Whether all parts of the affinity hold for the cluster; exclusion wins.

    Raises:
        InputError: if a field selector has a field or an operator that there is not.
    """
    return (
        cluster.name not in affinity.exclude_clusters
        and (not affinity.cluster_names or cluster.name in affinity.cluster_names)
        and all(cluster.labels.get(key) == value for key, value in affinity.match_labels.items())
        and meets_all(affinity.match_expressions, cluster.labels)
        and all(matches_field(cluster, requirement) for requirement in affinity.field_selector)
    )


def matches_field(cluster: Cluster, requirement: Requirement) -> bool:
    """Whether a field of the cluster meets the requirement.

    Raises:
        InputError: if there is no such field or operator.
    """
    if requirement.operator not in FIELD_OPERATORS:
        right = nearest(requirement.operator, FIELD_OPERATORS)
        raise InputError(f"a field selector has no operator '{requirement.operator}'", nearest=right)
    match requirement.key:
        case "zone":
            return matches_zones(cluster.zones, requirement)
        case "provider":
            return meets(requirement, cluster.provider or None)
        case "region":
            return meets(requirement, cluster.region or None)
    right = nearest(requirement.key, FIELDS)
    raise InputError(f"a field selector knows provider, region and zone, not '{requirement.key}'", nearest=right)


def matches_zones(zones: Sequence[str], requirement: Requirement) -> bool:
    """Whether zones meet the requirement: ``In`` needs one in common, ``NotIn`` none."""
    if not zones:
        return meets(requirement, None)
    if requirement.operator == "NotIn":
        return not set(zones).intersection(requirement.values)
    return any(meets(requirement, zone) for zone in zones)


def tolerates_taints(cluster: Cluster, tolerations: Sequence[Toleration], scheduled: Collection[str] = ()) -> bool:
    """Whether the cluster's taints let a workload in; one that is there already is not asked again."""
    return cluster.name in scheduled or all(
        tolerates(tolerations, taint) for taint in cluster.taints if taint.effect in KEEPS_OFF
    )


def has_spread_fields(cluster: Cluster, spread_by: Collection[str]) -> bool:
    """Whether the cluster says all that workloads are to be spread by; one that does not belongs to no group."""
    known = {"provider": cluster.provider, "region": cluster.region, "zone": cluster.zones}
    return all(known.get(name, True) for name in spread_by)


def may_return(cluster: str, evicted_from: Collection[str]) -> bool:
    """Whether a workload may be placed on a cluster: not while it is being evicted from there."""
    return cluster not in evicted_from


def locality_score(cluster: str, scheduled: Collection[str]) -> int:
    """How welcome a workload is where it is already: fully; elsewhere: not at all."""
    return HIGHEST_SCORE if cluster in scheduled else 0
