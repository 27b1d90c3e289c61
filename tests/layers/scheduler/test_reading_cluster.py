"""Manifests become a snapshot: pods and their groups, queues, priorities and times, with every name checked."""

import json
import random

import pytest

from skyedge.errors import InputError
from skyedge.kube import parse_manifests
from skyedge.layers.scheduler import DEFAULT, schedule
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.reading import read_cluster, read_configuration
from skyedge.resources import folder
from tests.layers.scheduler.written_clusters import VOLCANO, group, job, mistake, node, pod, priority, queue, read, thing


def test_a_pod_without_a_group_is_a_group_of_its_own():
    snapshot = read(node("n"), pod("a"), pod("b", namespace="other"))
    assert snapshot.groups.names == ("default/a", "other/b")
    assert snapshot.groups.min_member.tolist() == [1, 1]
    assert {snapshot.queues.names[row] for row in snapshot.groups.queue} == {"default"}
    assert snapshot.amounts(snapshot.groups.min_resources[0]) == {"cpu": 1000, "pods": 1000}


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


def test_queues_stand_in_a_tree():
    snapshot = read(queue("child", parent="mid", deserved={"cpu": 4}), queue("mid", parent="root"))
    names = snapshot.queues.names
    parents = {name: names[row] if row >= 0 else None for name, row in zip(names, snapshot.queues.parent, strict=True)}
    assert parents == {"child": "mid", "mid": "root", "root": None, "default": None}


@pytest.mark.parametrize("of", ["annotations", "labels"])
def test_what_may_be_preempted_says_so_with_true_or_false(of):
    def one(word):
        return pod("a", metadata={of: {"volcano.sh/preemptable": word}})

    assert read(node("n"), one("False")).pods.preemptable.tolist() == [False]
    with pytest.raises(InputError, match="true or false, not 'maybe'") as error:
        read(node("n"), one("maybe"))
    assert error.value.where is not None
    assert of in error.value.where


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
