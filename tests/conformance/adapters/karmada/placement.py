"""Cases about a whole placement: filters, choice and division together, the room for it, and whether it is asked anew."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from skyedge.kube import FEDERATION, parse_manifests
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.objects import Cluster, NodePool, PodShape, Workload
from skyedge.layers.federation.placement import AffinityGroup, PlacementRules, WeightedAffinity
from skyedge.layers.federation.placing import place
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.reading import FederationReading, read_federation
from skyedge.layers.federation.reading.clusters import CLUSTER_LABEL
from skyedge.layers.federation.room import Room, flavour_of

from .objects import (
    Answer,
    Given,
    affinity_from,
    cluster_from,
    constraints_from,
    only,
    strategy_from,
    tolerations_from,
)

REPLICA = PodShape((("cpu", 1000),))
"""What each asks for: one core, so that a cluster with room for so many has so many cores."""

WORKLOAD = (
    "api_kind",
    "replicas",
    "strategy",
    "static_weights",
    "groups",
    "spread",
    "tolerations",
    "scheduled",
    "evicting",
    "group",
    "fresh",
)


def member_from(given: Given) -> Cluster:
    """A cluster with room for so many replicas, and what its API server is known to know."""
    plain = {key: value for key, value in given.items() if key not in ("room", "api_kinds")}
    known = given.get("api_kinds")
    cluster = cluster_from(plain)
    return Cluster(
        cluster.name,
        cluster.labels,
        cluster.provider,
        cluster.region,
        cluster.zones,
        cluster.taints,
        (NodePool(1, {"cpu": 1000 * given.get("room", 0)}),),
        None if known is None else frozenset(known),
        known is None,
    )


def group_from(given: Given) -> AffinityGroup:
    """An affinity with its overflow."""
    only(given, ("name", "affinity", "overflow"), "an affinity group")
    overflow = tuple(affinity_from(one) for one in given.get("overflow") or ())
    return AffinityGroup(given.get("name") or "", affinity_from(given.get("affinity") or {}), overflow)


def workload_from(given: Given) -> Workload:
    """A workload under its policy."""
    only(given, WORKLOAD, "a workload")
    strategy = given.get("strategy")
    rules = PlacementRules(
        tuple(group_from(one) for one in given.get("groups") or ()),
        tolerations_from(given.get("tolerations") or ()),
        tuple(constraints_from(given.get("spread") or ())),
        strategy_from(strategy),
        tuple(
            WeightedAffinity(one["weight"], affinity_from({"cluster_names": one["cluster_names"]}))
            for one in given.get("static_weights") or ()
        ),
    )
    api_version, _, kind = given.get("api_kind", "apps/v1/Deployment").rpartition("/")
    return Workload(
        Resource(kind, "it", "default", api_version),
        given["replicas"],
        REPLICA,
        rules,
        scheduled=given.get("scheduled") or {},
        evicting=frozenset(given.get("evicting") or ()),
        group=given.get("group") or "",
        fresh=given.get("fresh", False),
    )


def placement(given: Given) -> Answer:
    """Where a workload goes."""
    members = [member_from(one) for one in given["clusters"]]
    placements = place(Federation.of(members), [workload_from(given["workload"])])
    placed = bool(placements.placed[0])
    return {"placed": placed, "group": placements.group_name(0), "assignment": placements.of(0) if placed else None}


def written_time(seconds: float) -> str:
    """Seconds after some day as a manifest says a time."""
    return datetime.fromtimestamp(1_700_000_000 + seconds, UTC).isoformat().replace("+00:00", "Z")


MEMBER = {"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "member"}}


def read_written(*manifests: Given, now_s: float | None = None) -> FederationReading:
    """What manifests say; of a federation of one cluster where they name none."""
    named = any(one["kind"] == "Cluster" for one in manifests)
    written = "\n---\n".join(json.dumps(one) for one in (*manifests, *(() if named else (MEMBER,))))
    return read_federation(parse_manifests(written, file="case.yaml", kinds=FEDERATION), now_s)


def read_one(cluster: Given, requests: Given, *others: Given, pod: Given | None = None) -> FederationReading:
    """A federation of one cluster and a deployment, as it is read from manifests."""
    container = {"name": "c", "image": "i", "resources": {"requests": requests}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"}}
    deployment |= {"spec": {"replicas": 1, "template": {"spec": {"containers": [container], **(pod or {})}}}}
    policy = {"apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy"}
    selector = {"apiVersion": "apps/v1", "kind": "Deployment"}
    policy |= {"metadata": {"name": "p", "namespace": "n"}, "spec": {"resourceSelectors": [selector]}}
    return read_written({**MEMBER, "metadata": {"name": "a"}, **cluster}, deployment, policy, *others)


def reschedule_required(given: Given) -> Answer:
    """Whether a binding has its workload divided anew."""
    spec: dict[str, Any] = {"resource": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "n", "name": "d"}}
    spec |= {"replicas": 1, "clusters": [{"name": "a", "replicas": 1}]}
    if (asked := given["reschedule_triggered_at"]) is not None:
        spec["rescheduleTriggeredAt"] = written_time(asked)
    answered = given["last_scheduled_time"]
    binding = {"apiVersion": "work.karmada.io/v1alpha2", "kind": "ResourceBinding", "spec": spec}
    binding |= {"metadata": {"name": "d", "namespace": "n"}}
    binding |= {"status": {} if answered is None else {"lastScheduledTime": written_time(answered)}}
    (workload,) = read_one({"spec": {}}, {}, binding).workloads
    return {"required": workload.fresh}


def room_by_grades(given: Given) -> Answer:
    """How many replicas fit on nodes of which only the grade is known; the cluster's sums are no limit."""
    models = [
        {"grade": grade, "ranges": [{"name": name, "min": least, "max": most} for name, (least, most) in spans.items()]}
        for grade, spans in enumerate(given["grades"])
    ]
    counts = [{"grade": grade, "count": count} for grade, count in enumerate(given["nodes"])]
    plenty = {"cpu": "1000", "memory": "1000Gi", "pods": "1000"}
    summary = {"allocatable": plenty, "allocatableModelings": counts}
    reading = read_one({"spec": {"resourceModels": models}, "status": {"resourceSummary": summary}}, given["request"])
    return {"replicas": room_of_one(reading)}


def room_by_sums(given: Given) -> Answer:
    """How many replicas fit on a cluster of which only the sums are known; pods are no limit."""
    summary = {"allocatable": {"pods": "1000", **given["allocatable"]}, "allocated": given["allocated"]}
    return {"replicas": room_of_one(read_one({"spec": {}, "status": {"resourceSummary": summary}}, given["request"]))}


def room_by_nodes(given: Given) -> Answer:
    """How many replicas fit on nodes, each with what is left on it; ``pod`` is what a pod's ``spec`` asks of its node."""
    only(given["pod"], ("nodeSelector", "affinity", "tolerations"), "a pod")
    nodes = []
    for number, one in enumerate(given["nodes"]):
        only(one, ("left", "labels", "taints"), "a node")
        labels = {**(one.get("labels") or {}), CLUSTER_LABEL: "a"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"machine{number + 1}", "labels": labels}}
        nodes.append(node | {"spec": {"taints": one.get("taints") or []}, "status": {"allocatable": one["left"]}})
    return {"replicas": room_of_one(read_one({"spec": {}}, given["request"], *nodes, pod=given["pod"]))}


def room_of_one(reading: FederationReading) -> int:
    """The room for the only workload on the only cluster."""
    (workload,) = reading.workloads
    return int(Room(Federation.of(reading.clusters).nodes).of([flavour_of(workload.shape)])[0, 0])


def replicas_of(given: Given) -> Answer:
    """How many replicas a manifest asks for, and which nodes they want."""
    policy = {"apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy"}
    selector = {key: given["manifest"][key] for key in ("apiVersion", "kind")}
    policy |= {"metadata": {"name": "p", "namespace": "n"}, "spec": {"resourceSelectors": [selector]}}
    (workload,) = read_written(given["manifest"], policy).workloads
    return {"replicas": workload.replicas, "node_selector": dict(workload.shape.node_selector)}
