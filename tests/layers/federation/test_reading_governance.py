"""Taint policies, the ways in which clusters are watched, and when somebody asks anew: as the manifests have it."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skyedge.kube import FEDERATION, parse_manifests
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.leaving import leaving
from skyedge.layers.federation.objects import Taint
from skyedge.layers.federation.placing import place
from skyedge.layers.federation.reading import read_federation

NOW_S = 1_800_000_000.0


def cluster(name, conditions=(), labels=None, annotations=None, **spec):
    return {
        "apiVersion": "cluster.karmada.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}},
        "spec": spec,
        "status": {
            "conditions": [{"type": kind, "status": status} for kind, status in conditions],
            "resourceSummary": {"allocatable": {"cpu": "8", "memory": "8Gi", "pods": "100"}},
        },
    }


def taint_policy(name, add=None, remove=None, made=None, taints=({"key": "k", "effect": "NoExecute"},), **spec):
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "ClusterTaintPolicy",
        "metadata": {"name": name} | ({"creationTimestamp": made} if made else {}),
        "spec": {
            "taints": list(taints),
            **({"addOnConditions": [add]} if add else {}),
            **({"removeOnConditions": [remove]} if remove else {}),
            **spec,
        },
    }


def when(kind, operator, *values):
    return {"conditionType": kind, "operator": operator, "statusValues": list(values)}


def read(*given):
    manifests = parse_manifests(yaml.safe_dump_all(given), kinds=FEDERATION)
    return read_federation(manifests, NOW_S)


def taints(*given):
    return {one.name: one.taints for one in read(*given).clusters}


NOT_READY = when("Ready", "NotIn", "True")
PUT_ON = (Taint("k", "", "NoExecute", NOW_S),)


@pytest.mark.parametrize(
    ("conditions", "wanted", "expected"),
    [
        ([("Ready", "False")], NOT_READY, PUT_ON),
        ([("Ready", "True")], NOT_READY, ()),
        ([], NOT_READY, ()),  # what is not reported matches nothing, not even NotIn
        ([("Full", "True"), ("Ready", "False")], when("Full", "In", "True", "Unknown"), PUT_ON),
    ],
)
def test_a_taint_policy_taints_by_conditions_from_now_on(conditions, wanted, expected):
    assert taints(cluster("a", conditions), taint_policy("p", add=wanted)) == {"a": expected}


def test_all_conditions_of_a_list_must_match_and_only_the_clusters_meant_are_tainted():
    down = [("Ready", "False"), ("Full", "False")]
    both = taint_policy("p", addOnConditions=[NOT_READY, when("Full", "In", "True")])
    assert taints(cluster("a", down), both) == {"a": ()}
    only = taint_policy("p", add=NOT_READY, targetClusters={"labelSelector": {"matchLabels": {"of": "us"}}})
    assert taints(cluster("a", down), cluster("b", down, {"of": "us"}), only) == {"a": (), "b": PUT_ON}


def test_what_is_there_stays_as_it_is_and_what_is_to_go_goes_whatever_its_value():
    old = {"key": "k", "value": "mine", "effect": "NoExecute"}
    again = taint_policy("p", add=when("Ready", "In", "True"))
    (kept,) = taints(cluster("a", [("Ready", "True")], taints=[old]), again)["a"]
    assert (kept.value, kept.added_at_s) == ("mine", None)
    gone = taint_policy("p", remove=when("Ready", "In", "True"))
    other = {**old, "effect": "NoSchedule"}
    (left,) = taints(cluster("a", [("Ready", "True")], taints=[old, other]), gone)["a"]
    assert left.effect == "NoSchedule"


@given(st.randoms())
def test_of_two_that_contradict_each_other_the_younger_has_the_last_word_whatever_the_order_of_files(random_):
    ready = when("Ready", "In", "True")
    puts = taint_policy("a-puts", add=ready, made="2026-01-02T00:00:00Z")
    takes = taint_policy("z-takes", remove=ready, made="2026-01-01T00:00:00Z")
    documents = [cluster("a", [("Ready", "True")]), puts, takes]
    random_.shuffle(documents)
    assert taints(*documents) == {"a": PUT_ON}


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d"},
    "spec": {"replicas": 4, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
}
REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "namespace": "default"}


def policy(**placement):
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "ClusterPropagationPolicy",
        "metadata": {"name": "p"},
        "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}], "placement": placement},
    }


def binding(clusters, triggered=None, answered=None):
    return {
        "apiVersion": "work.karmada.io/v1alpha2",
        "kind": "ResourceBinding",
        "metadata": {"name": "d-deployment", "namespace": "default"},
        "spec": {"resource": REFERENCE, "clusters": clusters} | ({"rescheduleTriggeredAt": triggered} if triggered else {}),
        "status": {"lastScheduledTime": answered} if answered else {},
    }


@pytest.mark.parametrize(("effect", "leaves"), [("NoExecute", True), ("NoSchedule", False), ("PreferNoExecute", False)])
def test_newcomers_stay_off_a_tainted_cluster_and_only_no_execute_drives_out_who_is_there(effect, leaves):
    tainting = taint_policy("t", add=NOT_READY, taints=[{"key": "k", "effect": effect}])
    tolerations = [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
    well, down = cluster("a", [("Ready", "True")]), cluster("b", [("Ready", "False")])
    for running, at in ((binding([{"name": "b", "replicas": 4}]), {"b"}), (binding([]), {"a"})):
        reading = read(well, down, tainting, DEPLOYMENT, policy(clusterTolerations=tolerations), running)
        told = [(one.cluster, one.after_s) for one in leaving(reading.clusters, reading.workloads, NOW_S)]
        assert told == ([("b", 300.0)] if leaves and at == {"b"} else [])
    placed = place(Federation.of(reading.clusters), reading.workloads).of(0)
    assert set(placed) == {"a"} if effect != "NoExecute" else {"a"} <= set(placed)


@pytest.mark.parametrize(
    ("mode", "origin", "pulls"),
    [
        ("Push", None, False),
        ("Pull", None, True),
        (None, None, False),
        (None, "edge", True),
        (None, "public-cloud", False),
        ("Push", "edge", False),
    ],
)
def test_a_cluster_pulls_if_it_says_so_or_else_as_its_origin_has_it(mode, origin, pulls):
    given_cluster = cluster(
        "a", annotations={"skyedge.io/origin": origin} if origin else {}, **({"syncMode": mode} if mode else {})
    )
    assert read(given_cluster).clusters[0].pulls is pulls


EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("made", "triggered", "answered", "fresh"),
    [
        (None, None, None, False),
        ("not yet", None, LATE, True),
        (EARLY, None, LATE, False),
        (LATE, None, EARLY, True),
        (EARLY, None, None, True),
        (None, EARLY, LATE, False),
        (None, LATE, EARLY, True),
        (EARLY, LATE, EARLY, True),
    ],
)
def test_who_was_placed_since_a_rebalancer_asked_is_not_placed_anew(made, triggered, answered, fresh):
    rebalancer = {
        "apiVersion": "apps.karmada.io/v1alpha1",
        "kind": "WorkloadRebalancer",
        "metadata": {"name": "r"} | ({"creationTimestamp": made} if made != "not yet" else {}),
        "spec": {"workloads": [REFERENCE]},
    }
    documents = [cluster("a"), DEPLOYMENT, policy(), binding([{"name": "a", "replicas": 4}], triggered, answered)]
    assert read(*documents, *([rebalancer] if made else [])).selected[0].workload.fresh is fresh
