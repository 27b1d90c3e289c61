"""Manifests become a federation, and what in them an author should know of is said at once, with its place."""

import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.kube import FEDERATION, parse_manifests
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.objects import PODS, Taint, Toleration, Workload
from skyedge.layers.federation.placement import PlacementRules
from skyedge.layers.federation.placing import place
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.reading import read_federation
from skyedge.layers.federation.room import Room, flavour_of
from skyedge.layers.federation.works import works_of
from skyedge.layers.scheduler.objects import PodShape

GIB = 1 << 30


def cluster(name, region="r", **spec):
    status = spec.pop("status", {"resourceSummary": {"allocatable": {"cpu": "8", "memory": "32Gi", "pods": "100"}}})
    annotations, labels = spec.pop("annotations", {}), spec.pop("labels", {})
    return {
        "apiVersion": "cluster.karmada.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name, "annotations": annotations, "labels": labels},
        "spec": {"region": region, **spec},
        "status": status,
    }


def deployment(name, replicas=2, namespace="n", **pods):
    metadata = {"name": name, "namespace": namespace, "labels": pods.pop("labels", {})}
    pods.setdefault("containers", [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}])
    spec = {"replicas": replicas, "template": {"spec": pods}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def policy(name, namespace="n", selector=None, **spec):
    annotations = spec.pop("annotations", {})
    wide = namespace is None
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "ClusterPropagationPolicy" if wide else "PropagationPolicy",
        "metadata": {"name": name, "annotations": annotations} | ({} if wide else {"namespace": namespace}),
        "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", **(selector or {})}], **spec},
    }


def override(name, **spec):
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": name, "namespace": "n"},
        "spec": spec,
    }


def read(*given):
    return read_federation(parse_manifests(yaml.safe_dump_all(given), file="f.yaml", kinds=FEDERATION))


def warnings(*given):
    return read(*given).warnings


def mistake(*given):
    with pytest.raises(InputError) as error:
        read(*given)
    assert str(error.value).startswith("f.yaml:")
    return str(error.value)


WELL = (cluster("a"), cluster("b", "s"), deployment("d"), policy("p"))


def test_files_in_which_nothing_is_amiss_say_nothing():
    assert warnings(*WELL) == ()


# Room.


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
@settings(max_examples=80, deadline=None)
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


# Workloads and rules.


def test_the_rules_of_a_policy_are_what_it_says():
    placement = {
        "clusterAffinities": [
            {
                "affinityName": "near",
                "clusterNames": ["a"],
                "overflowAffinities": [{"affinityName": "far", "clusterNames": ["b"]}],
            }
        ],
        "clusterTolerations": [{"key": "t", "operator": "Exists", "tolerationSeconds": -3}],
        "spreadConstraints": [{"maxGroups": 2}],
        "replicaScheduling": {"weightPreference": {"dynamicWeight": "AvailableReplicas"}},
    }
    annotations = {"skyedge.io/scores": "carbon=2,locality=1", "skyedge.io/weigh-by-score": "true"}
    (one,) = read(
        cluster("a"), cluster("b"), deployment("d"), policy("p", placement=placement, annotations=annotations)
    ).selected
    rules = one.workload.rules
    assert [group.name for group in rules.groups] == ["near"]
    assert rules.groups[0].overflow[0].cluster_names == ("b",)
    assert rules.tolerations == (Toleration("t", "Exists", toleration_s=0),)
    assert (rules.strategy, rules.weigh_by_score) == (Strategy.DYNAMIC_WEIGHT, True)
    assert rules.scores == {"carbon": 2, "locality": 1}
    assert (rules.spread[0].field, rules.spread[0].min_groups, rules.spread[0].max_groups) == ("cluster", 1, 2)


@pytest.mark.parametrize(
    ("scheduling", "strategy"),
    [
        (None, Strategy.DUPLICATED),
        ({"replicaSchedulingType": "Duplicated"}, Strategy.DUPLICATED),
        ({}, Strategy.STATIC_WEIGHT),
        ({"weightPreference": {"staticWeightList": [{"targetCluster": {}, "weight": 1}]}}, Strategy.STATIC_WEIGHT),
        ({"replicaDivisionPreference": "Aggregated"}, Strategy.AGGREGATED),
    ],
)
def test_how_replicas_are_divided(scheduling, strategy):
    placement = {} if scheduling is None else {"replicaScheduling": scheduling}
    (one,) = read(*WELL[:3], policy("p", placement=placement)).selected
    assert one.workload.rules.strategy is strategy


def test_a_misspelt_score_and_one_that_divides_nothing_are_errors():
    assert "(did you mean 'carbon'?)" in mistake(*WELL[:3], policy("p", annotations={"skyedge.io/scores": "carbn=1"}))
    assert "all zero" in mistake(*WELL[:3], policy("p", annotations={"skyedge.io/scores": "carbon=0"}))
    assert "dynamicWeight" in mistake(*WELL[:3], policy("p", annotations={"skyedge.io/weigh-by-score": "true"}))


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
@settings(max_examples=15, deadline=None)
def test_the_order_of_documents_plays_no_part(seed):
    given = [*WELL, deployment("e"), policy("q", selector={"name": "e"}), policy("wide", None), cluster("c")]
    shuffled = random.Random(seed).sample(given, len(given))
    one, other = read(*given), read(*shuffled)
    assert one.clusters == other.clusters
    assert one.workloads == other.workloads
    assert [read.policy.title for read in one.selected] == [read.policy.title for read in other.selected]


# What is said at once.


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        (
            (*WELL, policy("q", selector={"name": "nobody"})),
            "spec.resourceSelectors",
            "selects nothing that is in the files",
        ),
        (
            (*WELL, policy("q")),
            "spec.priority",
            "as closely and with the same priority as PropagationPolicy 'n/p', which speaks",
        ),
        ((*WELL, policy("q", None)), "spec.resourceSelectors", "speaks for nothing"),
        ((*WELL, deployment("e", namespace="m")), "", "no policy selects Deployment 'm/e', so it runs nowhere"),
        (
            (*WELL[:3], policy("p", placement={"clusterAffinity": {"clusterNames": ["aa"]}})),
            "spec.placement.clusterAffinity.clusterNames[0]",
            "there is no cluster 'aa' (did you mean 'a'?)",
        ),
        (
            (*WELL[:3], policy("p", placement={"clusterAffinity": {"labelSelector": {"matchLabels": {"x": "y"}}}})),
            "spec.placement.clusterAffinity",
            "no cluster meets this affinity",
        ),
        (
            (*WELL[:3], policy("p", placement={"spreadConstraints": [{"minGroups": 3}]})),
            "spec.placement.spreadConstraints[0].minGroups",
            "at least 3 clusters are wanted, and the affinity meets 2",
        ),
        (
            (*WELL[:3], policy("p", placement={"spreadConstraints": [{}, {"spreadByField": "region", "minGroups": 3}]})),
            "spec.placement.spreadConstraints[1].minGroups",
            "at least 3 regions are wanted, and the affinity meets 2",
        ),
        (
            (
                *WELL[:3],
                policy(
                    "p",
                    placement={
                        "replicaScheduling": {
                            "weightPreference": {
                                "staticWeightList": [{"targetCluster": {"clusterNames": ["x"]}, "weight": 2}]
                            }
                        }
                    },
                ),
            ),
            "staticWeightList[0].targetCluster.clusterNames[0]",
            "there is no cluster 'x'",
        ),
        (
            (
                *WELL,
                override(
                    "o", overrideRules=[{"targetCluster": {"clusterNames": ["a"], "exclude": ["a"]}, "overriders": {}}]
                ),
            ),
            "spec.overrideRules[0].targetCluster",
            "no cluster is met",
        ),
        (
            (
                *WELL,
                override(
                    "o", resourceSelectors=[{"apiVersion": "v1", "kind": "Secret"}], overrideRules=[{"overriders": {}}]
                ),
            ),
            "spec.resourceSelectors",
            "selects nothing that is in the files",
        ),
        ((*WELL, override("o")), "spec", "has no rules"),
        (
            (*WELL[:3], policy("p", placement={"spreadConstraints": [{}], "replicaScheduling": {}})),
            "spec.placement.spreadConstraints",
            "static weights look at no spread constraints",
        ),
        (
            (*WELL[:3], policy("p", dependentOverrides=["o"])),
            "spec.dependentOverrides[0]",
            "there is no override policy 'o'",
        ),
        (
            (
                *WELL,
                {
                    "apiVersion": "autoscaling.karmada.io/v1alpha1",
                    "kind": "FederatedHPA",
                    "metadata": {"name": "h", "namespace": "n"},
                    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "e"}, "maxReplicas": 3},
                },
            ),
            "spec.scaleTargetRef",
            "scales the Deployment 'e', which is not in the files",
        ),
        (
            (
                *WELL,
                {
                    "apiVersion": "policy.karmada.io/v1alpha1",
                    "kind": "FederatedResourceQuota",
                    "metadata": {"name": "q", "namespace": "m"},
                    "spec": {"overall": {"cpu": 1}},
                },
            ),
            "metadata.namespace",
            "bounds nothing",
        ),
        (
            (
                *WELL[:2],
                deployment("d", nodeSelector={"disk": "ssd"}),
                policy("p", placement={"replicaScheduling": {"replicaDivisionPreference": "Aggregated"}}),
            ),
            "",
            "nothing says what nodes these have: a, b",
        ),
    ],
)
def test_it_is_said_at_once(given, path, words):
    said = warnings(*given)
    assert any(words in sentence and path in sentence for sentence in said), said
    assert all(sentence.startswith("f.yaml:") and "\n" not in sentence for sentence in said)


def test_what_cannot_be_meant_is_an_error():
    assert "there is a cluster 'a' already" in mistake(*WELL, cluster("a"))
    assert "there is a Deployment 'n/d' already" in mistake(*WELL, deployment("d"))
    assert "there is PropagationPolicy 'n/p' already" in mistake(*WELL, policy("p"))
    with pytest.raises(InputError, match="nowhere to go"):
        read(deployment("d"), policy("p"))


# What follows.


def test_what_a_workload_needs_follows_it_and_only_if_the_policy_says_so():
    needy = deployment(
        "d", volumes=[{"name": "v", "configMap": {"name": "files"}}, {"name": "w", "secret": {"secretName": "gone"}}]
    )
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files", "namespace": "n"}, "data": {"a": "b"}}
    reading = read(*WELL[:2], needy, files, policy("p", propagateDeps=True))
    assert [follower.read.resource.name for follower in reading.followers] == ["files"]
    assert "needs the Secret 'gone', which is not in the files" in reading.warnings[0]
    assert [(work.cluster, work.resource.kind) for work in works_of(reading, [{"b": 2}])] == [
        ("b", "Deployment"),
        ("b", "ConfigMap"),
    ]
    alone = read(*WELL[:2], needy, files, policy("p"))
    assert not alone.followers
    assert not alone.warnings
    assert [read.resource.name for read in alone.unselected] == ["files"]


@pytest.mark.parametrize("twice", [False, True])
def test_what_pods_start_without_follows_if_it_is_there_and_is_not_missed(twice):
    optional = [{"configMapRef": {"name": name, "optional": True}} for name in ("files", "gone")]
    container = {"name": "c", "envFrom": optional + [{"configMapRef": {"name": "gone"}}] * twice}
    volumes = [{"name": "v", "secret": {"secretName": "hidden", "optional": True}}]
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files", "namespace": "n"}}
    easy = deployment("d", containers=[container], volumes=volumes)
    reading = read(*WELL[:2], easy, files, policy("p", propagateDeps=True))
    assert [follower.read.resource.name for follower in reading.followers] == ["files"]
    assert ["'gone', which is not in the files" in one for one in reading.warnings] == [True] * twice


def test_replicas_are_those_of_the_cluster_unless_each_has_them_all():
    divided = read(*WELL[:3], policy("p", placement={"replicaScheduling": {}}))
    assert [work.manifest["spec"]["replicas"] for work in works_of(divided, [{"a": 3, "b": 0}])] == [3, 0]
    assert [work.manifest["spec"]["replicas"] for work in works_of(read(*WELL), [{"a": 2, "b": 2}])] == [2, 2]


def test_an_override_that_cannot_be_made_names_policy_and_cluster():
    patch = {"path": "/spec/nothing", "operator": "remove"}
    reading = read(*WELL, override("o", overrideRules=[{"overriders": {"plaintext": [patch]}}]))
    with pytest.raises(InputError) as error:
        works_of(reading, [{"a": 2}])
    sentence = str(error.value)
    assert "spec.overrideRules[0].overriders.plaintext[0]" in sentence
    assert "Deployment 'd' on a" in sentence
