"""From manifests to the clusters of a federation, with their nodes or what stands for them.

The room of a cluster comes from the best that the files have to say:

1. ``Node`` manifests that carry the label (or annotation) ``skyedge.io/cluster``, each as it is: its ``allocatable``, for
   what runs there is not in it;
2. ``status.resourceSummary.allocatableModelings``: so many nodes of each grade of ``spec.resourceModels``, each of which has
   what its grade has at least.  Pods that the cluster has left are spread evenly over those that have something of
   everything: a node of the lowest grade, which has nothing for sure, would keep pods from who has room.  Used where the
   grades name all resources that workloads ask for;
3. ``status.resourceSummary``: allocatable less allocated less allocating, as if the cluster were one node.

The last two are the rules of Karmada's general estimator (pkg/estimator/client/general.go, 1.12), which has no nodes to
look at and so cannot see that what is left is in pieces; pods it counts for the cluster as a whole.
"""

from __future__ import annotations

from collections.abc import Collection

from skyedge.errors import nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube.cluster import Node
from skyedge.kube.karmada_clusters import Cluster as ClusterManifest
from skyedge.kube.karmada_clusters import ResourceSummary
from skyedge.layers.federation.objects import PODS, Cluster, NodePool, Taint
from skyedge.layers.federation.reading.figures import FACTS, LATITUDE, LONGITUDE, degrees, figures, seconds
from skyedge.layers.federation.reading.notices import Notices
from skyedge.layers.scheduler import objects as node_objects
from skyedge.layers.scheduler.labels import UNSCHEDULABLE
from skyedge.layers.scheduler.objects import THOUSANDTHS

CLUSTER_LABEL = "skyedge.io/cluster"
"""Of a node: the member cluster that it belongs to."""


def read_clusters(manifests: Manifests, asked: Collection[str], notices: Notices) -> tuple[Cluster, ...]:
    """The clusters, in the order of their names.

    Args:
        asked: resources that any workload asks for.

    Raises:
        InputError: with the place, for a figure that is none, a grade that there is not, or a node of no cluster.
    """
    given = {manifest.object.metadata.name: manifest for manifest in manifests.of(ClusterManifest)}
    nodes: dict[str, list[NodePool]] = {}
    for node in manifests.of(Node):
        metadata = node.object.metadata
        owner = metadata.labels.get(CLUSTER_LABEL) or metadata.annotations.get(CLUSTER_LABEL)
        if owner is None:
            notices.say(node, (), f"the node '{metadata.name}' has no label {CLUSTER_LABEL}, and is left out")
        elif owner not in given:
            path = ("metadata", "labels" if CLUSTER_LABEL in metadata.labels else "annotations", CLUSTER_LABEL)
            raise node.error(path, f"there is no cluster '{owner}'", nearest(owner, given))
        elif pool := _node_pool(node):
            nodes.setdefault(owner, []).append(pool)
    return tuple(
        _cluster(given[name], merged(nodes[name]) if name in nodes else None, asked, notices) for name in sorted(given)
    )


def clusters_without_nodes(manifests: Manifests) -> list[str]:
    """Those of which only sums are known, by name."""
    owners = {
        node.object.metadata.labels.get(CLUSTER_LABEL) or node.object.metadata.annotations.get(CLUSTER_LABEL)
        for node in manifests.of(Node)
    }
    return sorted({manifest.object.metadata.name for manifest in manifests.of(ClusterManifest)} - owners)


def merged(pools: Collection[NodePool]) -> tuple[NodePool, ...]:
    """The pools, those that are alike put together."""
    counts: dict[object, tuple[NodePool, int]] = {}
    for pool in pools:
        key = (tuple(sorted(pool.free.items())), tuple(sorted(pool.labels.items())), pool.taints)
        counts[key] = (pool, counts[key][1] + pool.count if key in counts else pool.count)
    return tuple(NodePool(count, pool.free, pool.labels, pool.taints) for pool, count in counts.values())


def _node_pool(manifest: Manifest[Node]) -> NodePool | None:
    """A node by itself; None if it is not ready."""
    node = manifest.object
    if next((condition.status for condition in node.status.conditions if condition.type == "Ready"), "True") != "True":
        return None
    taints = tuple(node_objects.Taint(taint.key, taint.value, taint.effect) for taint in node.spec.taints)
    if node.spec.unschedulable:
        taints = (*taints, UNSCHEDULABLE)
    free = node.status.capacity if node.status.allocatable is None else node.status.allocatable
    return NodePool(1, dict(free), node.metadata.labels, taints)


def _cluster(
    manifest: Manifest[ClusterManifest], nodes: tuple[NodePool, ...] | None, asked: Collection[str], notices: Notices
) -> Cluster:
    cluster = manifest.object
    spec, status = cluster.spec, cluster.status
    taints = []
    for place, taint in enumerate(spec.taints):
        added_at_s = seconds(manifest, ("spec", "taints", place, "timeAdded"), taint.time_added)
        taints.append(Taint(taint.key, taint.value, taint.effect, added_at_s))
    kinds = None
    if status.api_enablements is not None:
        kinds = frozenset(f"{api.group_version}/{one.kind}" for api in status.api_enablements for one in api.resources)
    conditions = {condition.type: condition.status for condition in reversed(status.conditions)}
    return Cluster(
        name=cluster.metadata.name,
        labels=cluster.metadata.labels,
        provider=spec.provider,
        region=spec.region,
        zones=spec.zones or ((spec.zone,) if spec.zone else ()),
        taints=tuple(taints),
        pools=_summed(manifest, asked, notices) if nodes is None else nodes,
        api_kinds=kinds,
        kinds_complete=conditions.get("CompleteAPIEnablements") == "True",
        facts=figures(manifest, FACTS),
        lat_deg=degrees(manifest, LATITUDE, 90),
        lon_deg=degrees(manifest, LONGITUDE, 180),
        ready=conditions.get("Ready", "True") == "True",
    )


def _summed(manifest: Manifest[ClusterManifest], asked: Collection[str], notices: Notices) -> tuple[NodePool, ...]:
    """Pools from what the cluster reports of itself."""
    cluster = manifest.object
    name, summary, models = cluster.metadata.name, cluster.status.resource_summary, cluster.spec.resource_models
    if summary is None:
        what = f"nothing says what the cluster '{name}' has, no nodes and no status.resourceSummary: so it has no room"
        notices.say(manifest, (), what)
        return ()
    if PODS not in summary.allocatable:
        notices.say(manifest, ("status", "resourceSummary"), f"the cluster '{name}' has no 'pods' to allocate, so no room")
        return ()
    left = _left(summary)
    if not summary.allocatable_modelings:
        return (NodePool(1, left),)
    grades = {span.name for span in models[0].ranges} if models else set()
    if missing := sorted(set(asked) - grades - {PODS}):
        where = ("status", "resourceSummary", "allocatableModelings")
        notices.say(manifest, where, f"the grades of '{name}' do not mention {', '.join(missing)}, so its sums are used")
        return (NodePool(1, left),)
    return _graded(manifest, left[PODS])


def _left(summary: ResourceSummary) -> dict[str, int]:
    return {
        resource: max(0, amount - summary.allocated.get(resource, 0) - summary.allocating.get(resource, 0))
        for resource, amount in summary.allocatable.items()
    }


def _graded(manifest: Manifest[ClusterManifest], pods: int) -> tuple[NodePool, ...]:
    """Pools of so many nodes of each grade, with ``pods`` (thousandths) spread evenly over those that are not empty."""
    cluster = manifest.object
    least, summary = cluster.spec.least_by_grade(), cluster.status.resource_summary
    assert summary is not None
    grades = []
    for place, modeling in enumerate(summary.allocatable_modelings):
        if modeling.grade not in least:
            path = ("status", "resourceSummary", "allocatableModelings", place, "grade")
            raise manifest.error(path, f"there is no grade {modeling.grade} among spec.resourceModels")
        grades.append((modeling.count, least[modeling.grade]))
    any_whole = any(count and all(has.values()) for count, has in grades)
    takes = [count if all(has.values()) or not any_whole else 0 for count, has in grades]
    each, more = divmod(pods // THOUSANDTHS, max(sum(takes), 1))
    pools = []
    for (count, has), taking in zip(grades, takes, strict=True):
        with_more = min(more, taking)
        more -= with_more
        for nodes, slots in ((with_more, each + 1), (taking - with_more, each), (count - taking, 0)):
            if nodes:
                pools.append(NodePool(nodes, has | {PODS: slots * THOUSANDTHS}))
    return tuple(pools)
