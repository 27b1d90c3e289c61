"""What is to be placed: workloads with their demand, where they run already, and what is left where it is."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.federation.written_federations import WELL, cluster, deployment, mistake, policy, read

GIB = 1 << 30


def test_a_binding_says_where_a_workload_runs_and_a_rebalancer_that_it_is_divided_anew():
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "namespace": "n"}
    binding = {
        "apiVersion": "work.karmada.io/v1alpha2",
        "kind": "ResourceBinding",
        "metadata": {"name": "d-deployment", "namespace": "n", "uid": "u"},
        "spec": {
            "resource": ref,
            "clusters": [{"name": "a", "replicas": 2}, {"name": "bb", "replicas": 1}],
            "gracefulEvictionTasks": [{"fromCluster": "b"}],
        },
    }
    rebalancer = {
        "apiVersion": "apps.karmada.io/v1alpha1",
        "kind": "WorkloadRebalancer",
        "metadata": {"name": "r"},
        "spec": {"workloads": [ref, {**ref, "name": "dd"}]},
    }
    reading = read(*WELL, binding, rebalancer)
    workload = reading.selected[0].workload
    assert (workload.uid, workload.scheduled, workload.evicting, workload.fresh) == ("u", {"a": 2}, {"b"}, True)
    assert len(reading.warnings) == 2
    assert "spec.clusters[1].name: there is no cluster 'bb' (did you mean 'b'?)" in " ".join(reading.warnings)
    assert "spec.workloads[1]: the Deployment 'dd' is not in the files" in " ".join(reading.warnings)


def test_demand_data_and_priority_of_a_workload():
    given = deployment("d", priorityClassName="high")
    given["metadata"]["annotations"] = {"skyedge.io/demand": "Manila@14.6/121=2, x", "skyedge.io/data-bytes": "a=2Gi"}
    classes = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 7}
    by_pod = {"schedulePriority": {"priorityClassSource": "PodPriorityClass"}}
    workload = read(cluster("a"), given, policy("p", **by_pod), classes).selected[0].workload
    assert [(one.place, one.lat_deg, one.weight) for one in workload.demand] == [("Manila", 14.6, 2), ("x", None, 1)]
    assert (workload.data_bytes, workload.priority) == ({"a": 2 * GIB}, 7)
    by_name = {"schedulePriority": {"priorityClassSource": "KubePriorityClass", "priorityClassName": "hihg"}}
    assert "no PriorityClass 'hihg' (did you mean 'high'?)" in mistake(cluster("a"), given, policy("p", **by_name), classes)


def test_what_another_resource_has_made_is_not_propagated():
    made = deployment("pod-of-another")
    made["metadata"]["ownerReferences"] = [{"kind": "Rollout", "name": "x", "controller": True}]
    assert [one.read.resource.name for one in read(*WELL, made).selected] == ["d"]


@pytest.mark.parametrize("namespace", ["kube-system", "karmada-system", "karmada-es-manila"])
def test_what_is_a_control_planes_own_stays_where_it_is(namespace):
    reading = read(*WELL, deployment("own", namespace=namespace), policy("wide", None))
    assert [one.read.resource.name for one in reading.selected] == ["d"]
    assert not reading.unselected


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_order_of_documents_plays_no_part(seed):
    given = [*WELL, deployment("e"), policy("q", selector={"name": "e"}), policy("wide", None), cluster("c")]
    shuffled = random.Random(seed).sample(given, len(given))
    one, other = read(*given), read(*shuffled)
    assert one.clusters == other.clusters
    assert one.workloads == other.workloads
    assert [read.policy.title for read in one.selected] == [read.policy.title for read in other.selected]
