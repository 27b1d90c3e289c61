"""Placing in bulk gives what placing one pod at a time gives, and both keep the promises of a scheduler."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.scheduler import Configuration, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.objects import Node, Pod, PodGroup, PodPhase, PodShape, Queue, Taint, Toleration
from tests.layers.scheduler.reference import Reference

POLICY = Configuration(
    actions=("allocate",), tiers=tiers_of(("priority", "gang"), ("drf", "predicates", "proportion", "binpack"))
)
ZONES = ("east", "west")
TAINT = Taint("dedicated", "gpu")


@st.composite
def clusters(draw):
    kinds = draw(
        st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8), st.booleans(), st.booleans()), min_size=1, max_size=4)
    )
    nodes = []
    for number in range(draw(st.integers(1, 12))):
        cpu, memory, gpu, tainted = kinds[number % len(kinds)]
        allocatable = {"cpu": cpu * 1000, "memory": memory << 30, "pods": draw(st.sampled_from([2, 110])) * 1000}
        if gpu:
            allocatable["nvidia.com/gpu"] = 2000
        labels = {"zone": ZONES[number % 2]}
        nodes.append(Node(f"n{number}", allocatable, labels, (TAINT,) if tainted and gpu else ()))
    shapes = []
    for _ in range(draw(st.integers(1, 5))):
        request = {"cpu": draw(st.integers(0, 12)) * 250, "memory": draw(st.integers(0, 12)) << 28}
        if draw(st.integers(0, 3)) == 0:
            request["nvidia.com/gpu"] = 1000
        selector = (("zone", draw(st.sampled_from(ZONES))),) if draw(st.integers(0, 3)) == 0 else ()
        tolerations = (Toleration("dedicated", "Equal", "gpu", ""),) if draw(st.booleans()) else ()
        kept = tuple(sorted((name, amount) for name, amount in request.items() if amount))
        shapes.append(PodShape(request=kept, node_selector=selector, tolerations=tolerations))
    queues = [
        Queue(f"q{number}", weight=draw(st.integers(1, 4)), priority=draw(st.sampled_from([0, 0, 5])))
        for number in range(draw(st.integers(1, 4)))
    ]
    groups, pods = [], []
    for number in range(draw(st.integers(1, 10))):
        size = draw(st.integers(1, 8))
        name = f"ns/job{number}"
        least = draw(st.sampled_from([size, size, max(1, size // 2), size + 1]))
        queue = draw(st.sampled_from(queues)).name
        groups.append(
            PodGroup(name, queue, least, priority=draw(st.sampled_from([0, 0, 1])), created_s=draw(st.integers(0, 2)))
        )
        mixed = draw(st.booleans())
        shape = draw(st.sampled_from(shapes))
        for pod in range(size):
            if mixed:
                shape = draw(st.sampled_from(shapes))
            pods.append(Pod(f"{name}-{pod}", name, shape, priority=draw(st.sampled_from([0, 0, 2]))))
    return nodes, pods, groups, queues


@settings(max_examples=400)
@given(clusters())
def test_bulk_placement_equals_one_pod_at_a_time(cluster):
    expected = Reference(*cluster).run()
    assert dict(schedule(take_snapshot(*cluster), POLICY).binds()) == expected


@settings(max_examples=100)
@given(clusters(), st.randoms())
def test_the_order_of_the_input_does_not_matter(cluster, random):
    before = dict(schedule(take_snapshot(*cluster), POLICY).binds())
    shuffled = [random.sample(part, len(part)) for part in cluster]
    assert dict(schedule(take_snapshot(*shuffled), POLICY).binds()) == before


@settings(max_examples=100)
@given(clusters())
def test_no_node_is_overfilled_and_no_gang_is_split(cluster):
    nodes, pods, groups, _queues = cluster
    binds = dict(schedule(take_snapshot(*cluster), POLICY).binds())
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for pod in pods:
        if pod.name in binds:
            used[binds[pod.name]].update({**dict(pod.shape.request), "pods": 1000})
    for node in nodes:
        assert all(amount <= node.allocatable.get(name, 0) for name, amount in used[node.name].items())
    for group in groups:
        placed = sum(pod.name in binds for pod in pods if pod.group == group.name)
        best_effort = sum(not pod.shape.request for pod in pods if pod.group == group.name)
        assert placed == 0 or placed + best_effort >= group.min_member


def test_what_runs_already_counts():
    shape = PodShape(request=(("cpu", 1000),))
    nodes = [Node("n", {"cpu": 2000, "pods": 10_000})]
    groups = [PodGroup("ns/a", "q", 1), PodGroup("ns/b", "q", 2)]
    running = Pod("ns/a-0", "ns/a", shape, PodPhase.RUNNING, "n")
    waiting = [Pod(f"ns/b-{n}", "ns/b", shape) for n in range(2)]
    decision = schedule(take_snapshot(nodes, [running, *waiting], groups, [Queue("q")]), POLICY)
    assert list(decision.binds()) == []


def test_a_cluster_without_nodes_places_nothing_and_breaks_nothing():
    pods = [Pod("one", "job", PodShape((("cpu", 1000),)))]
    everything = Configuration(("enqueue", "allocate", "backfill", "preempt", "reclaim", "shuffle"), POLICY.tiers)
    decision = schedule(take_snapshot([], pods, [PodGroup("job")], [Queue("default")]), everything, explain=True)
    assert dict(decision.binds()) == {}
    assert "there are no nodes" in decision.explanations.pods["one"]
