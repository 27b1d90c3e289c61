"""What each member cluster is to be told: the manifests of all that goes there, with its replicas and its overrides.

Karmada calls one of them a *Work*.  In its order: what is a server's own is taken off, replicas are set, then the override
policies have their say, so that a patch may set replicas too.  What a workload needs goes wherever the workload goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.handing_on import divided_completions, stripped, with_replicas
from skyedge.layers.federation.manifest_overrides import PlainManifest, overridden
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.reading.federation import FederationReading, Selected
from skyedge.layers.federation.reading.resources import ResourceKey, key_of


@dataclass(frozen=True)
class Work:
    """A manifest for a cluster.

    Attributes:
        overridden_by: names of the override policies that had a say, in their order.
    """

    cluster: str
    resource: Resource
    manifest: PlainManifest
    overridden_by: tuple[str, ...] = ()


def works_of(reading: FederationReading, shares: Sequence[Mapping[str, int]]) -> list[Work]:
    """All works, in the order of cluster, API version, kind, namespace and name.

    Args:
        shares: for each that is selected its replicas by cluster; 0 is a cluster that it goes to without any.

    Raises:
        InputError: if an override cannot be made, with its place.
    """
    manifests: dict[tuple[str, ResourceKey], tuple[Resource, PlainManifest]] = {}
    for one, share in zip(reading.selected, shares, strict=True):
        for cluster, manifest in _divided(one, share).items():
            manifests[cluster, key_of(one.read.resource)] = (one.read.resource, manifest)
    for follower in reading.followers:
        resource, manifest = follower.read.resource, stripped(follower.read.plain)
        for cluster in {cluster for place in follower.needed_by for cluster in shares[place]}:
            manifests.setdefault((cluster, key_of(resource)), (resource, manifest))
    clusters = {cluster.name: cluster for cluster in reading.clusters}
    works = []
    for cluster, key in sorted(manifests):
        resource, manifest = manifests[cluster, key]
        changed, names = overridden(manifest, resource, clusters[cluster], reading.overrides)
        works.append(Work(cluster, resource, changed, tuple(names)))
    return works


def _divided(one: Selected, share: Mapping[str, int]) -> dict[str, PlainManifest]:
    """The manifest of a resource for each of its clusters, before overrides."""
    manifest, workload = stripped(one.read.plain), one.workload
    if workload.rules.strategy is Strategy.DUPLICATED or not workload.replicas:
        scaled = workload.replicas != one.read.manifest.object.replicas
        return dict.fromkeys(share, with_replicas(manifest, workload.replicas) if scaled else manifest)
    completions = divided_completions(manifest, share, workload.uid)
    return {
        cluster: with_replicas(manifest, replicas, None if completions is None else completions.get(cluster, 0))
        for cluster, replicas in share.items()
    }
