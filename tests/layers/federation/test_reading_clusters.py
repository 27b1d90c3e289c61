"""Manifests say what a cluster is and what room it has: by its nodes, by the grades that stand for them, or by sums."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.objects import PODS, Taint, Workload
from skyedge.layers.federation.placement import PlacementRules
from skyedge.layers.federation.placing import place
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.room import Room, flavour_of
from skyedge.layers.scheduler.objects import PodShape
from tests.layers.federation.written_federations import WELL, cluster, deployment, mistake, policy, read, warnings


def test_a_cluster_without_nodes_is_one_node_with_what_is_left():
    summary = {
        "allocatable": {"cpu": "8", "pods": "100"},
        "allocated": {"cpu": "3", "pods": "40"},
        "allocating": {"cpu": "6", "pods": "1"},
    }
    (pool,) = read(cluster("a", status={"resourceSummary": summary}), deployment("d"), policy("p")).clusters[0].pools
    assert (pool.count, dict(pool.free)) == (1, {"cpu": 0, PODS: 59_000})


def test_grades_stand_for_nodes_and_share_the_pods_that_are_left():
    models = [
        {"grade": 0, "ranges": [{"name": "cpu", "min": "0", "max": "2"}]},
        {"grade": 1, "ranges": [{"name": "cpu", "min": "2", "max": "4"}]},
    ]
    summary = {
        "allocatable": {"cpu": "9", "pods": "10"},
        "allocated": {"pods": "3"},
        "allocatableModelings": [{"grade": 0, "count": 1}, {"grade": 1, "count": 2}],
    }
    graded = cluster("a", resourceModels=models, status={"resourceSummary": summary})
    pools = read(graded, deployment("d"), policy("p")).clusters[0].pools
    # Who has nothing for sure has no pods either; but somebody has.
    assert [(pool.count, pool.free["cpu"], pool.free[PODS]) for pool in pools] == [
        (1, 0, 0),
        (1, 2000, 4000),
        (1, 2000, 3000),
    ]
    renamed = [{**models[1], "grade": 5}, {**models[0], "grade": 3}]
    counts = [{"grade": 3, "count": 1}, {"grade": 5, "count": 2}]
    again = {"resourceSummary": {**summary, "allocatableModelings": counts}}
    assert read(cluster("a", resourceModels=renamed, status=again), deployment("d"), policy("p")).clusters[0].pools == pools
    summary["allocatableModelings"][1]["count"] = 0
    pools = read(graded, deployment("d"), policy("p")).clusters[0].pools
    assert [(pool.count, pool.free["cpu"], pool.free[PODS]) for pool in pools] == [(1, 0, 7000)]
    wants_memory = deployment("d", containers=[{"name": "c", "resources": {"requests": {"memory": "1Gi"}}}])
    reading = read(graded, wants_memory, policy("p"))
    assert [pool.free["cpu"] for pool in reading.clusters[0].pools] == [9000]
    assert "do not mention memory, so its sums are used" in reading.warnings[0]
    summary["allocatableModelings"].append({"grade": 2, "count": 1})
    assert "there is no grade 2" in mistake(graded, deployment("d"), policy("p"))


def karmadas_room(models, counts, left, request):
    """Karmada's general estimator, as its source has it, for one workload and one cluster."""
    if left["pods"] <= 0:
        return 0
    if any(name not in models[0] for name in request):
        return min(left["pods"], *(max(0, left.get(name, 0)) // amount for name, amount in request.items()))
    enough = [
        next((at for at, model in enumerate(models) if model[name] >= amount), None) for name, amount in request.items()
    ]
    if None in enough:
        return 0
    nodes = zip(models[max(enough) :], counts[max(enough) :], strict=True)
    fits = sum(count * min(model[name] // amount for name, amount in request.items()) for model, count in nodes)
    return min(left["pods"], fits)


@given(
    steps=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 8)), min_size=1, max_size=4),
    counts=st.lists(st.integers(0, 5), min_size=4, max_size=4),
    cpu=st.integers(1, 9),
    memory=st.none() | st.integers(1, 9),
    gpu=st.none() | st.integers(1, 3),
)
@settings(max_examples=80)
def test_room_without_nodes_is_what_karmadas_estimator_says(steps, counts, cpu, memory, gpu):
    models, least = [], {"cpu": 0, "memory": 0}
    for more_cpu, more_memory in steps:
        models.append(dict(least))
        least = {"cpu": least["cpu"] + more_cpu, "memory": least["memory"] + more_memory}
    counts = counts[: len(models)]
    ends = [*models[1:], least]
    given_models = [
        {"grade": grade, "ranges": [{"name": name, "min": model[name], "max": end[name]} for name in model]}
        for grade, (model, end) in enumerate(zip(models, ends, strict=True))
    ]
    left = {"cpu": 40, "memory": 60, "gpu": 5, "pods": 10_000}
    modelings = [{"grade": grade, "count": count} for grade, count in enumerate(counts)]
    summary = {"allocatable": left, "allocatableModelings": modelings}
    request = {name: amount for name, amount in (("cpu", cpu), ("memory", memory), ("gpu", gpu)) if amount}
    graded = cluster("a", resourceModels=given_models, status={"resourceSummary": summary})
    asks = deployment("d", containers=[{"name": "c", "resources": {"requests": request}}])
    reading = read(graded, asks, policy("p"))
    room = Room(Federation.of(reading.clusters).nodes)
    (flavour,) = room.places([flavour_of(reading.workloads[0].shape)])
    assert room.table[flavour, 0] == karmadas_room(models, counts, left, request)


def node(name, owner="a", cpu="4", **spec):
    metadata = {"name": name, "labels": {"skyedge.io/cluster": owner} if owner else {}}
    status = spec.pop("status", {})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "pods": "10"}, **status},
    }


def test_nodes_are_the_room_of_the_cluster_that_they_name_and_like_ones_are_put_together():
    down = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    nodes = [node("x"), node("y"), node("z", cpu="8", unschedulable=True), node("dead", status=down)]
    pools = read(*WELL, *nodes).clusters[0].pools
    assert [(pool.count, pool.free["cpu"]) for pool in pools] == [(2, 4000), (1, 8000)]
    assert pools[1].taints[0].key == "node.kubernetes.io/unschedulable"
    assert "did you mean 'a'?" in mistake(*WELL, node("x", owner="aa"))
    assert "has no label skyedge.io/cluster" in warnings(*WELL, node("x", owner=None))[0]


def test_a_cluster_of_which_nothing_is_known_has_no_room_and_it_is_said():
    reading = read(cluster("a", status={}), deployment("d"), policy("p"))
    assert reading.clusters[0].pools == ()
    assert "so it has no room" in reading.warnings[0]


def test_what_a_cluster_is_comes_from_its_manifest():
    given = cluster(
        "a",
        provider="own",
        zone="z",
        taints=[{"key": "t", "effect": "NoExecute", "timeAdded": "1970-01-01T00:01:00Z"}],
        annotations={
            "skyedge.io/latitude-deg": "-53.1",
            "skyedge.io/longitude-deg": "10",
            "skyedge.io/facts": "carbon_g_per_kwh=80",
        },
        status={
            "conditions": [{"type": "Ready", "status": "False"}],
            "apiEnablements": [{"groupVersion": "apps/v1", "resources": [{"kind": "Deployment"}]}],
        },
    )
    (made,) = read(given, deployment("d"), policy("p")).clusters
    assert (made.provider, made.zones, made.ready, made.lat_deg, made.lon_deg) == ("own", ("z",), False, -53.1, 10)
    assert made.taints == (Taint("t", "", "NoExecute", 60.0),)
    assert (made.facts, made.api_kinds) == ({"carbon_g_per_kwh": 80}, frozenset({"apps/v1/Deployment"}))


@pytest.mark.parametrize(("status", "kept"), [("True", False), ("False", True), (None, True)])
def test_a_cluster_that_may_know_more_kinds_than_it_says_keeps_what_it_runs(status, kept):
    said = [] if status is None else [{"type": "CompleteAPIEnablements", "status": status}]
    (made,) = read(cluster("c", status={"conditions": said, "apiEnablements": []})).clusters
    for scheduled, there in (({"c": 0}, kept), ({}, False)):
        web = Workload(Resource("Deployment", "web", "n", "apps/v1"), 0, PodShape(), PlacementRules(), scheduled=scheduled)
        assert place(Federation.of([made]), [web]).placed.tolist() == [there]


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"skyedge.io/latitude-deg": "north"}, "'north' is not a number"),
        ({"skyedge.io/latitude-deg": "91"}, "beyond 90 degrees"),
        ({"skyedge.io/facts": "a"}, "needs a number"),
        ({"skyedge.io/facts": "a=1, a=2"}, "there twice"),
    ],
)
def test_figures_in_annotations_are_read_strictly(annotations, words):
    sentence = mistake(cluster("a", annotations=annotations), deployment("d"), policy("p"))
    assert words in sentence
    assert "metadata.annotations" in sentence
