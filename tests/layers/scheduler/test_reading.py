"""Manifests become a snapshot: what Volcano's controllers would make of them, with every name checked."""

import json
import random

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import parse_manifests
from skyedge.layers.scheduler import DEFAULT, schedule
from skyedge.layers.scheduler.objects import GroupPhase, PodPhase, Requirement
from skyedge.layers.scheduler.reading import read_cluster, read_configuration
from skyedge.resources import folder

VOLCANO = "scheduling.volcano.sh/v1beta1"


def thing(api_version, kind, name, spec=None, namespace="", **more):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | more.pop("metadata", {})
    return (
        {"apiVersion": api_version, "kind": kind, "metadata": metadata} | ({"spec": spec} if spec is not None else {}) | more
    )


def node(name, cpu=8, memory="32Gi", labels=None, **resources):
    allocatable = {"cpu": cpu, "memory": memory, "pods": 110, **resources}
    return thing("v1", "Node", name, status={"allocatable": allocatable}, metadata={"labels": labels or {}})


def pod(name, cpu=1, group=None, metadata=None, status=None, namespace="", **spec):
    annotations = {"scheduling.k8s.io/group-name": group} if group else {}
    metadata = {"annotations": annotations, **(metadata or {})}
    containers = spec.pop("containers", [{"name": "c", "resources": {"requests": {"cpu": cpu}}}])
    whole = {"containers": containers, **spec}
    return thing("v1", "Pod", name, whole, namespace, metadata=metadata, status=status or {})


def queue(name, **spec):
    return thing(VOLCANO, "Queue", name, spec)


def group(name, namespace="", status=None, **spec):
    return thing(VOLCANO, "PodGroup", name, spec, namespace, status=status or {})


def job(name, tasks, metadata=None, **spec):
    listed = [
        {"name": task, "replicas": replicas, "template": {"spec": pod("x", cpu)["spec"] | more.pop("pod", {})}, **more}
        for task, replicas, cpu, more in tasks
    ]
    return thing("batch.volcano.sh/v1alpha1", "Job", name, {"tasks": listed, **spec}, metadata=metadata or {})


def priority(name, value, **more):
    return thing("scheduling.k8s.io/v1", "PriorityClass", name, value=value, **more)


def read(*items, **options):
    return read_cluster(parse_manifests(json.dumps(list(items))), **options).snapshot


def mistake(*items):
    with pytest.raises(InputError) as error:
        read(*items)
    return str(error.value)


def shape_of(snapshot, row=0):
    return snapshot.shapes[snapshot.pods.shape[row]]


# What is made.


def test_a_pod_without_a_group_is_a_group_of_its_own():
    snapshot = read(node("n"), pod("a"), pod("b", namespace="other"))
    assert snapshot.groups.names == ("default/a", "other/b")
    assert snapshot.groups.min_member.tolist() == [1, 1]
    assert {snapshot.queues.names[row] for row in snapshot.groups.queue} == {"default"}
    assert snapshot.amounts(snapshot.groups.min_resources[0]) == {"cpu": 1000, "pods": 1000}


def test_a_job_unfolds_into_a_gang_and_its_pods():
    tasks = [("ps", 1, 2, {}), ("worker", 3, 4, {"minAvailable": 2})]
    snapshot = read(node("n"), queue("q"), job("train", tasks, queue="q"))
    assert snapshot.pods.names == ("default/train-ps-0", *(f"default/train-worker-{n}" for n in range(3)))
    assert snapshot.pods.role == ("ps", "worker", "worker", "worker")
    assert snapshot.groups.names == ("default/train",)
    assert snapshot.groups.min_member.tolist() == [3], "what the tasks need at least, when the job does not say"
    assert dict(snapshot.groups.min_task_member[0]) == {"ps": 1, "worker": 2}
    assert snapshot.groups.phase.tolist() == [GroupPhase.PENDING]


def test_the_least_resources_of_a_job_are_those_of_its_most_important_tasks():
    tasks = [("low", 4, 1, {}), ("high", 2, 3, {"pod": {"priorityClassName": "urgent"}})]
    snapshot = read(node("n"), priority("urgent", 10), job("j", tasks, minAvailable=3))
    assert snapshot.amounts(snapshot.groups.min_resources[0]) == {"cpu": 2 * 3000 + 1000, "pods": 3000}


def test_pods_of_a_job_that_are_there_are_not_made_again():
    uid = {"uid": "77"}
    there = pod("j-t-0", 2, "j-77", nodeName="n", status={"phase": "Running"})
    snapshot = read(node("n"), there, job("j", [("t", 3, 2, {})], metadata=uid))
    assert snapshot.groups.names == ("default/j-77",)
    assert sorted(snapshot.pods.names) == [f"default/j-t-{n}" for n in range(3)]
    assert sorted(snapshot.pods.phase.tolist()) == [PodPhase.PENDING, PodPhase.PENDING, PodPhase.RUNNING]


def test_a_finished_job_starts_no_more_pods():
    done = job("j", [("t", 3, 2, {})]) | {"status": {"state": {"phase": "Completed"}}}
    assert len(read(node("n"), done).pods) == 0


@pytest.mark.parametrize(
    ("status", "metadata", "node_name", "phase"),
    [
        ({}, {}, "", PodPhase.PENDING),
        ({"phase": "Pending"}, {}, "n", PodPhase.BOUND),
        ({"phase": "Running"}, {}, "n", PodPhase.RUNNING),
        ({"phase": "Running"}, {"deletionTimestamp": "2024-01-01T00:00:00Z"}, "n", PodPhase.RELEASING),
        ({"phase": "Succeeded"}, {}, "a node that has left", PodPhase.SUCCEEDED),
        ({"phase": "Failed"}, {"deletionTimestamp": "2024-01-01T00:00:00Z"}, "n", PodPhase.FAILED),
    ],
)
def test_the_phase_of_a_pod_is_what_it_holds(status, metadata, node_name, phase):
    snapshot = read(node("n"), pod("a", status=status, metadata=metadata, nodeName=node_name))
    assert snapshot.pods.phase.tolist() == [phase]


def test_priorities_come_from_their_classes():
    classes = [priority("high", 9, preemptionPolicy="Never"), priority("usual", 3, globalDefault=True)]
    pods = [
        pod("a", priorityClassName="high"),
        pod("b"),
        pod("c", priority=7, priorityClassName="high"),
        pod("d", priorityClassName="system-node-critical"),
        pod("e", preemptionPolicy="Never"),
    ]
    snapshot = read(node("n"), *classes, *pods)
    assert snapshot.pods.priority.tolist() == [9, 3, 7, 2_000_001_000, 3]
    assert snapshot.pods.may_preempt.tolist() == [False, True, False, True, False]
    assert snapshot.pods.system_critical.tolist() == [False, False, False, True, False]


def test_a_shape_holds_all_that_decides_where_a_pod_may_run():
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}],
                        "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n9"]}],
                    }
                ]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 5, "preference": {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}}
            ],
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "rack", "labelSelector": {"matchLabels": {"app": "x"}}, "namespaces": ["b", "a"]}
            ]
        },
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 9, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {}}}
            ]
        },
    }
    marks = {"annotations": {"skyedge.io/architectures": "arm64, amd64"}}
    shape = shape_of(
        read(
            node("n"),
            pod(
                "a",
                affinity=affinity,
                nodeSelector={"z": "1", "b": "2"},
                metadata=marks,
                tolerations=[{"operator": "Exists"}],
            ),
        )
    )
    assert shape.node_selector == (("b", "2"), ("z", "1"))
    assert shape.node_terms == ((Requirement("disk", "In", ("ssd",)), Requirement("metadata.name", "NotIn", ("n9",))),)
    assert shape.preferred == ((5, (Requirement("zone", "Exists"),)),)
    near, away = shape.pod_terms
    assert (near.weight, near.away, near.topology_key, near.selector) == (9, False, "zone", ())
    assert (away.weight, away.away, away.namespaces) == (None, True, ("a", "b"))
    assert away.selector == (Requirement("app", "In", ("x",)),)
    assert shape.tolerations[0].operator == "Exists"
    assert shape.architectures == ("arm64", "amd64")


def test_pods_that_are_alike_share_a_shape_whatever_does_not_matter_to_it():
    def other(name, **container):
        return pod(name, containers=[{"name": name, "resources": {"requests": {"cpu": 1}}, **container}])

    snapshot = read(node("n"), other("a"), other("b", image="x"), other("c", volumeMounts=[{"name": "token-1"}]))
    assert len({id(shape_of(snapshot, row)) for row in range(3)}) == 1


@pytest.mark.parametrize(
    ("resources", "devices"),
    [
        ({"nvidia.com/gpu": 2}, (0, 0)),
        ({"volcano.sh/gpu-number": 2}, (2, 1000)),
        ({"volcano.sh/gpu-memory": 4000}, (1, 250)),
        ({"volcano.sh/vgpu-number": 2, "volcano.sh/vgpu-memory": 8000}, (2, 500)),
        ({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 4000, "volcano.sh/vgpu-cores": 30}, (1, 300)),
        ({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory-percentage": 40}, (1, 400)),
        ({"volcano.sh/vgpu-number": 1}, (1, 1000)),
    ],
)
def test_parts_of_gpus_become_thousandths(resources, devices):
    gpus = {"volcano.sh/gpu-number": 4, "volcano.sh/gpu-memory": 64_000}
    wants = pod("a", containers=[{"name": "c", "resources": {"limits": resources}}])
    snapshot = read(node("n", **gpus), wants)
    assert (shape_of(snapshot).device_count, shape_of(snapshot).device_milli) == devices
    assert snapshot.nodes.devices.tolist() == [[1000] * 4]


def test_gpus_are_read_from_the_register_of_volcanos_device_plugin():
    register = "GPU-1,10,32768,NVIDIA-V100,false:GPU-2,10,32768,NVIDIA-V100,false:"
    shared = node("n", **{"volcano.sh/vgpu-number": 20})
    shared["metadata"]["annotations"] = {"volcano.sh/node-vgpu-register": register}
    half = {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 16384}
    snapshot = read(shared, pod("a", containers=[{"name": "c", "resources": {"limits": half}}]))
    assert snapshot.nodes.devices.tolist() == [[1000, 1000]]
    assert shape_of(snapshot).device_milli == 500


def test_a_node_says_its_processor_and_whether_it_is_ready():
    cordoned = thing("v1", "Node", "a", {"unschedulable": True})
    silent = thing("v1", "Node", "b", status={"conditions": [{"type": "Ready", "status": "Unknown"}]})
    arm = thing("v1", "Node", "c", status={"nodeInfo": {"architecture": "arm64"}, "capacity": {"cpu": 2}})
    reading = read_cluster(parse_manifests(json.dumps([cordoned, silent, arm])))
    nodes = reading.snapshot.nodes
    assert nodes.unschedulable.tolist() == [True, True, False]
    assert nodes.labels[2] == {"kubernetes.io/arch": "arm64"}
    assert [warning.count("has no status.allocatable") for warning in reading.warnings] == [1, 1]


def test_queues_stand_in_a_tree():
    snapshot = read(queue("child", parent="mid", deserved={"cpu": 4}), queue("mid", parent="root"))
    names = snapshot.queues.names
    parents = {name: names[row] if row >= 0 else None for name, row in zip(names, snapshot.queues.parent, strict=True)}
    assert parents == {"child": "mid", "mid": "root", "root": None, "default": None}


def domain(name, tier, *members):
    listed = [{"type": kind, "selector": selector} for kind, selector in members]
    return thing("topology.volcano.sh/v1alpha1", "HyperNode", name, {"tier": tier, "members": listed})


def test_a_domain_that_is_within_two_is_named_with_its_place():
    leaf = ("HyperNode", {"exactMatch": {"name": "leaf"}})
    with pytest.raises(InputError, match="'leaf' is within 'a' already") as error:
        read(domain("leaf", 1), domain("a", 2, leaf), domain("b", 2, leaf))
    assert error.value.where is not None
    assert "spec.members[0]" in error.value.where


@pytest.mark.parametrize("of", ["annotations", "labels"])
def test_what_may_be_preempted_says_so_with_true_or_false(of):
    def one(word):
        return pod("a", metadata={of: {"volcano.sh/preemptable": word}})

    assert read(node("n"), one("False")).pods.preemptable.tolist() == [False]
    with pytest.raises(InputError, match="true or false, not 'maybe'") as error:
        read(node("n"), one("maybe"))
    assert error.value.where is not None
    assert of in error.value.where


def test_amounts_that_add_up_to_more_than_can_be_counted_are_refused():
    with pytest.raises(InputError, match="the memory of all nodes together is more than can be counted"):
        read(*(node(f"n{number}", memory="1Ei") for number in range(9)))


def test_more_devices_than_a_node_can_have_are_refused():
    with pytest.raises(InputError, match="node 'n' has 1,000,000,000 devices"):
        read(node("n", **{"volcano.sh/gpu-number": 10**9, "volcano.sh/gpu-memory": 10**10}))


def test_network_domains_find_their_members():
    nodes = [node("a1"), node("a2"), node("b1", labels={"rack": "b"}), node("c")]
    snapshot = read(
        *nodes,
        domain("spine", 2, ("HyperNode", {"regexMatch": {"pattern": "^rack-"}})),
        domain("rack-a", 1, ("Node", {"regexMatch": {"pattern": "^a"}})),
        domain("rack-b", 1, ("Node", {"labelMatch": {"matchLabels": {"rack": "b"}}})),
        domain("alone", 1, ("Node", {"exactMatch": {"name": "c"}})),
    )
    held = {
        name: [node for node, inside in zip(snapshot.nodes.names, row, strict=True) if inside]
        for name, row in zip(snapshot.hypernodes.names, snapshot.hypernodes.holds, strict=True)
    }
    assert held == {"rack-a": ["a1", "a2"], "rack-b": ["b1"], "spine": ["a1", "a2", "b1"], "alone": ["c"]}


def test_now_is_the_latest_time_that_is_named():
    old, new = ({"creationTimestamp": f"1970-01-01T00:00:{second}Z"} for second in ("10", "20"))
    pods = [pod("old", metadata=old), pod("new", metadata=new), pod("fresh")]
    snapshot = read(node("n"), *pods)
    assert snapshot.now_s == 20
    assert dict(zip(snapshot.pods.names, snapshot.pods.created_s, strict=True)) == {
        "default/old": 10,
        "default/new": 20,
        "default/fresh": 20,
    }
    assert read(node("n"), *pods, now_s=99).now_s == 99


def test_the_order_of_the_manifests_does_not_matter():
    items = [node(f"n{i}") for i in range(3)] + [queue("q"), group("g", minMember=2, queue="q")]
    items += [pod(f"p{i}", i % 3, "g") for i in range(9)] + [job("j", [("t", 4, 1, {})])]
    binds = []
    for seed in range(4):
        random.Random(seed).shuffle(items)
        binds.append(sorted(schedule(read(*items), DEFAULT).binds()))
    assert binds[0]
    assert binds == [binds[0]] * 4


def test_the_examples_are_read_and_scheduled():
    texts = [(folder("experiments") / "manifests" / f"{name}.yaml").read_text() for name in ("cluster", "jobs", "scheduler")]
    manifests = parse_manifests("\n---\n".join(texts), strict=True)
    reading = read_cluster(manifests)
    assert reading.warnings == ()
    decision = schedule(reading.snapshot, read_configuration(manifests))
    assert list(decision.impossible) == ["default/too-big"]
    assert dict(decision.binds())["default/hard-scenes-big-model-0"] == "rack1-gpu"


# The configuration.


def test_a_configuration_is_found_bare_or_in_its_config_map():
    conf = {"actions": "allocate", "tiers": [{"plugins": [{"name": "gang", "enablePreemptable": False}]}]}
    bare = read_configuration(parse_manifests(yaml.safe_dump(conf)))
    data = {"volcano-scheduler.conf": yaml.safe_dump(conf)}
    held = read_configuration(parse_manifests(json.dumps(thing("v1", "ConfigMap", "c", data=data))))
    assert bare == held
    assert bare.actions == ("allocate",)
    assert "preemptable" not in bare.tiers[0][0].points
    assert read_configuration(parse_manifests("")) == DEFAULT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("actions: alocate\ntiers: []", "did you mean 'allocate'?"),
        ("tiers: [{plugins: [{name: gnag}]}]", "did you mean 'gang'?"),
        ("tiers: [{plugins: [{name: gang, enablePreemptible: true}]}]", "did you mean 'enablePreemptable'?"),
        ("tiers: [{plugins: [{name: gang, arguments: {x: 1}}]}]", "has no argument 'x'"),
        ("tiers: gang", "tiers: this should be a list"),
        ("tier: []\nactions: allocate", "did you mean 'tiers'?"),
        ("actions: allocate\n---\nactions: allocate", "there is a scheduler configuration already"),
    ],
)
def test_a_wrong_configuration_is_told_with_its_place(text, words):
    with pytest.raises(InputError) as error:
        read_configuration(parse_manifests(text, file="conf.yaml"))
    assert words in str(error.value)
    assert str(error.value).startswith("conf.yaml:")


# Names that point to nothing.


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (
            [group("g", queue="trainign"), queue("training")],
            "spec.queue: there is no queue 'trainign' (did you mean 'training'?)",
        ),
        ([job("j", [("t", 1, 1, {})], queue="q")], "spec.queue: there is no queue 'q'"),
        ([group("g", priorityClassName="hi")], "spec.priorityClassName: there is no priority class 'hi'"),
        ([pod("a", priorityClassName="hi"), priority("high", 1)], "did you mean 'high'?"),
        ([pod("a", group="gang-1"), group("gang-2")], "there is no pod group 'gang-1' (did you mean 'gang-2'?)"),
        ([pod("a", group="g"), group("g", namespace="other")], "there is no pod group 'g'"),
        ([pod("a", nodeName="node-1"), node("node-2")], "spec.nodeName: there is no node 'node-1' (did you mean 'node-2'?)"),
        ([pod("a", status={"phase": "Running"})], "a pod that is Running needs spec.nodeName"),
        ([queue("a", parent="b"), queue("b", parent="a")], "the queues go round in a circle: a under b under a"),
        ([queue("a", parent="a")], "the queues go round in a circle: a under a"),
        ([queue("c", parent="a"), queue("a", parent="b"), queue("b", parent="a")], "items[1].spec.parent"),
        ([queue("a", parent="rot")], "did you mean 'root'?"),
        ([pod("a"), pod("a")], "there is a Pod 'a' already, at manifest:1 (document 1): [0]"),
        ([queue("a"), queue("a")], "there is a Queue 'a' already"),
        ([node("a"), node("a")], "there is a Node 'a' already"),
        ([pod("a", metadata={"creationTimestamp": "yesterday"})], "metadata.creationTimestamp: 'yesterday' is not"),
        (
            [thing(VOLCANO, "PodGroup", "g", metadata={"annotations": {"volcano.sh/sla-waiting-time": "soon"}})],
            "metadata.annotations['volcano.sh/sla-waiting-time']: 'soon' is not a duration",
        ),
        (
            [thing(VOLCANO, "Queue", "q", metadata={"annotations": {"volcano.sh/hierarchy": "root/a"}})],
            "needs as many weights",
        ),
        (
            [
                thing(
                    "topology.volcano.sh/v1alpha1",
                    "HyperNode",
                    "h",
                    {"tier": 1, "members": [{"type": "Node", "selector": {"exactMatch": {"name": "node-1"}}}]},
                ),
                node("node-2"),
            ],
            "spec.members[0].selector.exactMatch.name: there is no node 'node-1' (did you mean 'node-2'?)",
        ),
        (
            [
                thing(
                    "topology.volcano.sh/v1alpha1",
                    "HyperNode",
                    "h",
                    {"tier": 1, "members": [{"type": "HyperNode", "selector": {"exactMatch": {"name": "h"}}}]},
                )
            ],
            "'h' of tier 1 cannot hold itself",
        ),
        (
            [
                thing(
                    "topology.volcano.sh/v1alpha1",
                    "HyperNode",
                    "h",
                    {"tier": 1, "members": [{"type": "Node", "selector": {"regexMatch": {"pattern": "("}}}]},
                )
            ],
            "'(' is not a pattern",
        ),
    ],
)
def test_a_name_that_points_to_nothing_is_told_with_its_place(items, words):
    if words.startswith("items["):
        with pytest.raises(InputError) as error:
            read_cluster(parse_manifests(json.dumps({"apiVersion": "v1", "kind": "List", "items": items})))
        assert words in str(error.value)
    else:
        sentence = mistake(*items)
        assert words in sentence
        assert sentence.startswith("manifest:1 (document 1)")
